// A Vulkan loader that forwards to the real one and makes it fail as the test says, which shares a page of memory with it: the
// file that EDGEADAPT_FAULT_CONTROL names. It counts live objects.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vulkan/vulkan.h>

// As in faulttest.go.
typedef struct {
	char call[64];         // which calls fail: a name, "*" for all that may run out of memory, "" for none
	int32_t after;         // how many go well before
	int32_t result;        // what the failing one returns
	int32_t drop;          // how many submissions go well before one is silently lost, -1 for none
	uint32_t hits;         // calls that failed, submissions that were lost
	uint32_t seen;         // calls that could have failed
	uint32_t lost;         // the device is: set with a result of VK_ERROR_DEVICE_LOST, cleared by a new device
	uint64_t wrong;        // FNV-1a of the code of a kernel whose dispatches lack their last workgroup, 0 for none
	int32_t live[16];      // objects by kind
	int32_t clockless;     // queues have no clock
	uint32_t range;        // the largest binding that the device says it takes, 0 for the real one
	uint32_t piece;        // the largest piece of memory, likewise
	uint32_t baseless;     // the wrong kernel is right but where dispatches begin at another workgroup: they begin at the first, along x with bit 0, along y with bit 1
	uint32_t texels;       // the largest number of texels that a binding takes, 0 for the real one
} Control;

enum { INSTANCE, DEVICE, BUFFER, MEMORY, VIEW, MODULE, SETLAYOUT, LAYOUT, PIPELINE, CACHE, DESCRIPTORS, COMMANDS, FENCE, QUERIES };

static Control *control;
static PFN_vkGetInstanceProcAddr real;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void) {
	int f = open(getenv("EDGEADAPT_FAULT_CONTROL"), O_RDWR);
	control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	void *loader = dlopen(getenv("EDGEADAPT_FAULT_LOADER"), RTLD_NOW | RTLD_LOCAL);
	*(void **)&real = dlsym(loader, "vkGetInstanceProcAddr");
}

// fails tells whether this call is to fail, and counts it.
static int fails(const char *name, int allocates) {
	pthread_mutex_lock(&lock);
	int hit = 0;
	if (strcmp(control->call, name) == 0 || (allocates && strcmp(control->call, "*") == 0)) {
		hit = (int32_t)control->seen++ == control->after;
		control->hits += hit;
		if (hit && control->result == VK_ERROR_DEVICE_LOST) control->lost = 1;
	}
	pthread_mutex_unlock(&lock);
	return hit;
}

static void count(int kind, int n) { __atomic_add_fetch(&control->live[kind], n, __ATOMIC_SEQ_CST); }

#define REAL(name) ((PFN_##name)real_##name)
#define DECLARE(name) static PFN_vkVoidFunction real_##name;

// A function that makes one object, and the one that destroys it.
#define MAKES(name, kind, info, handle) \
	DECLARE(name) \
	static VkResult my_##name(VkDevice d, const info *i, const VkAllocationCallbacks *a, handle *out) { \
		if (fails(#name, 1)) return control->result; \
		VkResult r = REAL(name)(d, i, a, out); \
		if (r == VK_SUCCESS) count(kind, 1); \
		return r; \
	}
#define DESTROYS(name, kind, handle) \
	DECLARE(name) \
	static void my_##name(VkDevice d, handle h, const VkAllocationCallbacks *a) { \
		if (h != VK_NULL_HANDLE) count(kind, -1); \
		REAL(name)(d, h, a); \
	}

MAKES(vkCreateBuffer, BUFFER, VkBufferCreateInfo, VkBuffer)
DESTROYS(vkDestroyBuffer, BUFFER, VkBuffer)
DECLARE(vkAllocateMemory)
static VkResult my_vkAllocateMemory(VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a, VkDeviceMemory *out) {
	if (fails("vkAllocateMemory", 1)) return control->result;
	if (control->piece && i->allocationSize > control->piece) abort(); // invalid use
	VkResult r = REAL(vkAllocateMemory)(d, i, a, out);
	if (r == VK_SUCCESS) count(MEMORY, 1);
	return r;
}
DESTROYS(vkFreeMemory, MEMORY, VkDeviceMemory)
MAKES(vkCreateBufferView, VIEW, VkBufferViewCreateInfo, VkBufferView)
DESTROYS(vkDestroyBufferView, VIEW, VkBufferView)
DESTROYS(vkDestroyShaderModule, MODULE, VkShaderModule)
MAKES(vkCreateDescriptorSetLayout, SETLAYOUT, VkDescriptorSetLayoutCreateInfo, VkDescriptorSetLayout)
DESTROYS(vkDestroyDescriptorSetLayout, SETLAYOUT, VkDescriptorSetLayout)
MAKES(vkCreatePipelineLayout, LAYOUT, VkPipelineLayoutCreateInfo, VkPipelineLayout)
DESTROYS(vkDestroyPipelineLayout, LAYOUT, VkPipelineLayout)
DESTROYS(vkDestroyPipeline, PIPELINE, VkPipeline)
MAKES(vkCreatePipelineCache, CACHE, VkPipelineCacheCreateInfo, VkPipelineCache)
DESTROYS(vkDestroyPipelineCache, CACHE, VkPipelineCache)
MAKES(vkCreateDescriptorPool, DESCRIPTORS, VkDescriptorPoolCreateInfo, VkDescriptorPool)
DESTROYS(vkDestroyDescriptorPool, DESCRIPTORS, VkDescriptorPool)
MAKES(vkCreateCommandPool, COMMANDS, VkCommandPoolCreateInfo, VkCommandPool)
DESTROYS(vkDestroyCommandPool, COMMANDS, VkCommandPool)
MAKES(vkCreateFence, FENCE, VkFenceCreateInfo, VkFence)
DESTROYS(vkDestroyFence, FENCE, VkFence)

MAKES(vkCreateQueryPool, QUERIES, VkQueryPoolCreateInfo, VkQueryPool)
DESTROYS(vkDestroyQueryPool, QUERIES, VkQueryPool)

// Functions that make no counted object and may fail.
#define MAYFAIL(name, allocates, parameters, arguments) \
	DECLARE(name) \
	static VkResult my_##name parameters { \
		if (fails(#name, allocates)) return control->result; \
		return REAL(name) arguments; \
	}

MAYFAIL(vkMapMemory, 1, (VkDevice d, VkDeviceMemory m, VkDeviceSize o, VkDeviceSize s, VkMemoryMapFlags f, void **p), (d, m, o, s, f, p))
MAYFAIL(vkBindBufferMemory, 1, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize o), (d, b, m, o))
MAYFAIL(vkAllocateDescriptorSets, 1, (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *s), (d, i, s))
MAYFAIL(vkAllocateCommandBuffers, 1, (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *b), (d, i, b))
MAYFAIL(vkBeginCommandBuffer, 1, (VkCommandBuffer b, const VkCommandBufferBeginInfo *i), (b, i))
MAYFAIL(vkEndCommandBuffer, 1, (VkCommandBuffer b), (b))
MAYFAIL(vkResetFences, 1, (VkDevice d, uint32_t n, const VkFence *f), (d, n, f))
MAYFAIL(vkGetQueryPoolResults, 1, (VkDevice d, VkQueryPool q, uint32_t f, uint32_t n, size_t s, void *p, VkDeviceSize t, VkQueryResultFlags g), (d, q, f, n, s, p, t, g))
MAYFAIL(vkGetPipelineCacheData, 1, (VkDevice d, VkPipelineCache c, size_t *n, void *p), (d, c, n, p))
MAYFAIL(vkEnumeratePhysicalDevices, 1, (VkInstance i, uint32_t *n, VkPhysicalDevice *p), (i, n, p))

DECLARE(vkCreateInstance)
static VkResult my_vkCreateInstance(const VkInstanceCreateInfo *i, const VkAllocationCallbacks *a, VkInstance *out) {
	if (fails("vkCreateInstance", 1)) return control->result;
	VkResult r = REAL(vkCreateInstance)(i, a, out);
	if (r == VK_SUCCESS) count(INSTANCE, 1);
	return r;
}

DECLARE(vkDestroyInstance)
static void my_vkDestroyInstance(VkInstance i, const VkAllocationCallbacks *a) {
	count(INSTANCE, -1);
	REAL(vkDestroyInstance)(i, a);
}

DECLARE(vkGetPhysicalDeviceQueueFamilyProperties)
static void my_vkGetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice p, uint32_t *n, VkQueueFamilyProperties *out) {
	REAL(vkGetPhysicalDeviceQueueFamilyProperties)(p, n, out);
	for (uint32_t i = 0; out && control->clockless && i < *n; i++) out[i].timestampValidBits = 0;
}

DECLARE(vkGetPhysicalDeviceProperties)
static void my_vkGetPhysicalDeviceProperties(VkPhysicalDevice p, VkPhysicalDeviceProperties *out) {
	REAL(vkGetPhysicalDeviceProperties)(p, out);
	if (control->range) out->limits.maxStorageBufferRange = control->range;
	if (control->texels) out->limits.maxTexelBufferElements = control->texels;
}

DECLARE(vkGetPhysicalDeviceProperties2)
static void my_vkGetPhysicalDeviceProperties2(VkPhysicalDevice p, VkPhysicalDeviceProperties2 *out) {
	REAL(vkGetPhysicalDeviceProperties2)(p, out);
	for (VkBaseOutStructure *s = (VkBaseOutStructure *)out; s; s = s->pNext)
		if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES && control->piece)
			((VkPhysicalDeviceMaintenance3Properties *)s)->maxMemoryAllocationSize = control->piece;
}

DECLARE(vkCreateDevice)
static VkResult my_vkCreateDevice(VkPhysicalDevice p, const VkDeviceCreateInfo *i, const VkAllocationCallbacks *a, VkDevice *out) {
	if (fails("vkCreateDevice", 1)) return control->result;
	VkResult r = REAL(vkCreateDevice)(p, i, a, out);
	if (r == VK_SUCCESS) {
		count(DEVICE, 1);
		control->lost = 0;
	}
	return r;
}

DECLARE(vkDestroyDevice)
static void my_vkDestroyDevice(VkDevice d, const VkAllocationCallbacks *a) {
	count(DEVICE, -1);
	REAL(vkDestroyDevice)(d, a);
}

// Modules and pipelines of the wrong kernel. Handles are not used again while few objects come and go; a stale one makes a
// test fail, never pass.
static uint64_t wrong_modules[256], wrong_pipelines[256];
static unsigned modules, pipelines;
static __thread int wrong_bound; // a recording belongs to one thread

static int holds(const uint64_t *list, unsigned n, uint64_t h) {
	for (unsigned i = 0; i < n && i < 256; i++)
		if (list[i] == h) return 1;
	return 0;
}

DECLARE(vkCreateShaderModule)
static VkResult my_vkCreateShaderModule(VkDevice d, const VkShaderModuleCreateInfo *i, const VkAllocationCallbacks *a, VkShaderModule *out) {
	if (fails("vkCreateShaderModule", 1)) return control->result;
	VkResult r = REAL(vkCreateShaderModule)(d, i, a, out);
	if (r != VK_SUCCESS) return r;
	count(MODULE, 1);
	uint64_t hash = 14695981039346656037u;
	for (size_t b = 0; b < i->codeSize; b++) hash = (hash ^ ((const uint8_t *)i->pCode)[b]) * 1099511628211u;
	pthread_mutex_lock(&lock);
	for (unsigned k = 0; k < modules && k < 256; k++)
		if (wrong_modules[k] == (uint64_t)*out) wrong_modules[k] = 0;
	if (control->wrong && hash == control->wrong) wrong_modules[modules++ % 256] = (uint64_t)*out;
	pthread_mutex_unlock(&lock);
	return r;
}

DECLARE(vkCreateComputePipelines)
static VkResult my_vkCreateComputePipelines(VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i, const VkAllocationCallbacks *a, VkPipeline *out) {
	if (fails("vkCreateComputePipelines", 1)) return control->result;
	VkResult r = REAL(vkCreateComputePipelines)(d, c, n, i, a, out);
	if (r != VK_SUCCESS) return r;
	count(PIPELINE, 1);
	pthread_mutex_lock(&lock);
	for (unsigned k = 0; k < pipelines && k < 256; k++)
		if (wrong_pipelines[k] == (uint64_t)*out) wrong_pipelines[k] = 0;
	if (holds(wrong_modules, modules, (uint64_t)i->stage.module)) wrong_pipelines[pipelines++ % 256] = (uint64_t)*out;
	pthread_mutex_unlock(&lock);
	return r;
}

DECLARE(vkCmdBindPipeline)
static void my_vkCmdBindPipeline(VkCommandBuffer b, VkPipelineBindPoint p, VkPipeline pipeline) {
	pthread_mutex_lock(&lock);
	wrong_bound = holds(wrong_pipelines, pipelines, (uint64_t)pipeline);
	pthread_mutex_unlock(&lock);
	REAL(vkCmdBindPipeline)(b, p, pipeline);
}

DECLARE(vkCmdDispatch)
static void my_vkCmdDispatch(VkCommandBuffer b, uint32_t x, uint32_t y, uint32_t z) {
	int wrong = wrong_bound && !control->baseless;
	if (wrong && x == 1) return;
	REAL(vkCmdDispatch)(b, wrong ? x - 1 : x, y, z);
}

DECLARE(vkCmdDispatchBase)
static void my_vkCmdDispatchBase(VkCommandBuffer b, uint32_t fx, uint32_t fy, uint32_t fz, uint32_t x, uint32_t y, uint32_t z) {
	uint32_t wrong = wrong_bound ? control->baseless : 0;
	int x_wrong = (wrong & 1) && fx, y_wrong = (wrong & 2) && fy;
	__atomic_add_fetch(&control->hits, x_wrong || y_wrong, __ATOMIC_SEQ_CST);
	REAL(vkCmdDispatchBase)(b, x_wrong ? 0 : fx, y_wrong ? 0 : fy, fz, x, y, z);
}

DECLARE(vkQueueSubmit)
static VkResult my_vkQueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence f) {
	if (fails("vkQueueSubmit", 1)) return control->result;
	if (control->lost) return VK_ERROR_DEVICE_LOST;
	if (control->drop >= 0 && control->drop-- == 0) {
		control->hits++;
		return REAL(vkQueueSubmit)(q, 0, NULL, f);
	}
	return REAL(vkQueueSubmit)(q, n, i, f);
}

DECLARE(vkWaitForFences)
static VkResult my_vkWaitForFences(VkDevice d, uint32_t n, const VkFence *f, VkBool32 all, uint64_t t) {
	int hit = fails("vkWaitForFences", 1);
	VkResult r = REAL(vkWaitForFences)(d, n, f, all, hit ? UINT64_MAX : t); // what is freed next must not be in use
	return hit ? control->result : control->lost ? VK_ERROR_DEVICE_LOST : r;
}

static const struct { const char *name; PFN_vkVoidFunction mine, *real; } functions[] = {
#define F(name) {#name, (PFN_vkVoidFunction)my_##name, &real_##name},
	F(vkCreateInstance) F(vkDestroyInstance) F(vkEnumeratePhysicalDevices) F(vkCreateDevice) F(vkDestroyDevice)
	F(vkCreateBuffer) F(vkDestroyBuffer) F(vkAllocateMemory) F(vkFreeMemory) F(vkMapMemory) F(vkBindBufferMemory)
	F(vkCreateBufferView) F(vkDestroyBufferView) F(vkCreateShaderModule) F(vkDestroyShaderModule)
	F(vkCreateDescriptorSetLayout) F(vkDestroyDescriptorSetLayout) F(vkCreatePipelineLayout) F(vkDestroyPipelineLayout)
	F(vkCreateComputePipelines) F(vkDestroyPipeline) F(vkCreatePipelineCache) F(vkDestroyPipelineCache) F(vkGetPipelineCacheData)
	F(vkCreateDescriptorPool) F(vkDestroyDescriptorPool) F(vkAllocateDescriptorSets)
	F(vkCreateCommandPool) F(vkDestroyCommandPool) F(vkAllocateCommandBuffers) F(vkBeginCommandBuffer) F(vkEndCommandBuffer)
	F(vkCmdBindPipeline) F(vkCmdDispatch) F(vkCmdDispatchBase) F(vkCreateFence) F(vkDestroyFence) F(vkResetFences)
	F(vkCreateQueryPool) F(vkDestroyQueryPool) F(vkGetQueryPoolResults)
	F(vkGetPhysicalDeviceQueueFamilyProperties) F(vkGetPhysicalDeviceProperties) F(vkGetPhysicalDeviceProperties2)
	F(vkQueueSubmit) F(vkWaitForFences)
};

__attribute__((visibility("default"))) PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name) {
	PFN_vkVoidFunction f = real(instance, name);
	for (size_t i = 0; f && i < sizeof functions / sizeof *functions; i++)
		if (strcmp(functions[i].name, name) == 0) {
			*functions[i].real = f;
			return functions[i].mine;
		}
	return f;
}
