//go:build linux && !android && cgo && !novulkan

#include "shim.h"
#include "abi.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// Defined in Go (debug.go).
extern void edgeadaptVulkanMessage(uint32_t severity, char *text, uintptr_t user);

typedef void (*Function)(void);
static Function (*get)(void *instance, const char *name);

// Every entry point that this file calls: result type, name, parameters.
#define FUNCTIONS(X) \
	X(void, vkGetPhysicalDeviceProperties2, (void *, void *)) \
	X(void, vkGetPhysicalDeviceFeatures2, (void *, void *)) \
	X(void, vkGetPhysicalDeviceQueueFamilyProperties, (void *, uint32_t *, QueueFamily *)) \
	X(int32_t, vkEnumerateDeviceExtensionProperties, (void *, const char *, uint32_t *, Extension *)) \
	X(int32_t, vkCreateDevice, (void *, const DeviceInfo *, const void *, void **)) \
	X(int32_t, vkCreateDescriptorSetLayout, (void *, const SetLayout *, const void *, uint64_t *)) \
	X(void, vkDestroyDescriptorSetLayout, (void *, uint64_t, const void *)) \
	X(int32_t, vkCreatePipelineLayout, (void *, const PipelineLayout *, const void *, uint64_t *)) \
	X(int32_t, vkCreateShaderModule, (void *, const ShaderModule *, const void *, uint64_t *)) \
	X(void, vkDestroyShaderModule, (void *, uint64_t, const void *)) \
	X(int32_t, vkCreateComputePipelines, (void *, uint64_t, uint32_t, const ComputePipeline *, const void *, uint64_t *)) \
	X(int32_t, vkCreateDescriptorPool, (void *, const DescriptorPool *, const void *, uint64_t *)) \
	X(int32_t, vkAllocateDescriptorSets, (void *, const AllocateSets *, uint64_t *)) \
	X(void, vkUpdateDescriptorSets, (void *, uint32_t, const WriteSet *, uint32_t, const void *)) \
	X(void, vkCmdDispatchBase, (void *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t)) \
	X(void, vkCmdPipelineBarrier, (void *, uint32_t, uint32_t, uint32_t, uint32_t, const MemoryBarrier *, uint32_t, const void *, uint32_t, const void *)) \
	X(void, vkCmdCopyBuffer, (void *, uint64_t, uint64_t, uint32_t, const CopyRegion *)) \
	X(int32_t, vkQueueSubmit, (void *, uint32_t, const SubmitInfo *, uint64_t)) \
	X(int32_t, vkFlushMappedMemoryRanges, (void *, uint32_t, const MappedRange *)) \
	X(int32_t, vkInvalidateMappedMemoryRanges, (void *, uint32_t, const MappedRange *))

#define DECLARE(result, name, parameters) static result (*name) parameters;
FUNCTIONS(DECLARE)

void *ea_load(void) {
	void *loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!loader) loader = dlopen("libvulkan.so", RTLD_NOW | RTLD_LOCAL);
	if (loader) *(void **)&get = dlsym(loader, "vkGetInstanceProcAddr");
	return *(void **)&get;
}

uint32_t ea_loader_version(void) {
	int32_t (*enumerate)(uint32_t *) = (int32_t (*)(uint32_t *))get(NULL, "vkEnumerateInstanceVersion");
	uint32_t version = 0;
	return enumerate && enumerate(&version) == 0 ? version : 0; // absent from 1.0 loaders
}

void ea_bind(void *instance) {
#define BIND(result, name, parameters) name = (result (*) parameters)get(instance, #name);
	FUNCTIONS(BIND)
}

void *ea_validation_features(void) {
	static const int32_t synchronization[] = {4};
	static ValidationFeatures features = {TYPE_VALIDATION_FEATURES, NULL, 1, synchronization, 0, NULL};
	return &features;
}

static uint32_t on_message(uint32_t severity, uint32_t types, const MessageData *data, void *user) {
	(void)types;
	edgeadaptVulkanMessage(severity, (char *)data->message, (uintptr_t)user);
	return 0; // do not abort the call
}

int32_t ea_create_messenger(void *instance, uintptr_t user, uint64_t *messenger) {
	int32_t (*create)(void *, const Messenger *, const void *, uint64_t *) =
		(int32_t (*)(void *, const Messenger *, const void *, uint64_t *))get(instance, "vkCreateDebugUtilsMessengerEXT");
	if (!create) return -7; // VK_ERROR_EXTENSION_NOT_PRESENT
	// Severities warning and error; messages of the validation layer, not of the loader about other drivers.
	Messenger info = {TYPE_MESSENGER, NULL, 0, 0x100 | 0x1000, 2, on_message, (void *)user};
	return create(instance, &info, NULL, messenger);
}

void ea_destroy_messenger(void *instance, uint64_t messenger) {
	void (*destroy)(void *, uint64_t, const void *) = (void (*)(void *, uint64_t, const void *))get(instance, "vkDestroyDebugUtilsMessengerEXT");
	if (destroy) destroy(instance, messenger, NULL);
}

static const char dot_extension[] = "VK_KHR_shader_integer_dot_product";

static int has_extension(void *physical, const char *name) {
	uint32_t n = 0;
	if (vkEnumerateDeviceExtensionProperties(physical, NULL, &n, NULL) != 0 || n == 0) return 0;
	Extension *all = calloc(n, sizeof *all);
	if (!all) return 0;
	int found = 0;
	if (vkEnumerateDeviceExtensionProperties(physical, NULL, &n, all) == 0)
		for (uint32_t i = 0; i < n && !found; i++) found = strcmp(all[i].name, name) == 0;
	free(all);
	return found;
}

void ea_get_properties(void *physical, ea_properties *out) {
	int dot = has_extension(physical, dot_extension), driver = has_extension(physical, "VK_KHR_driver_properties");
	DotProperties dots = {.type = TYPE_DOT_PROPERTIES};
	DriverProperties drivers = {.type = TYPE_DRIVER, .next = dot ? &dots : NULL};
	SubgroupProperties subgroup = {.type = TYPE_SUBGROUP, .next = driver ? (void *)&drivers : (void *)drivers.next};
	Maintenance3Properties memory = {.type = TYPE_MAINTENANCE3, .next = &subgroup};
	IDProperties id = {.type = TYPE_ID, .next = &memory};
	Properties2 all = {.type = TYPE_PROPERTIES2, .next = &id};
	vkGetPhysicalDeviceProperties2(physical, &all);
	memset(out, 0, sizeof *out);
	memcpy(out->uuid, id.device_uuid, sizeof out->uuid);
	out->allocation_bytes = memory.allocation_bytes;
	out->subgroup_size = subgroup.size;
	out->subgroup_stages = subgroup.stages;
	out->subgroup_operations = subgroup.operations;
	memcpy(out->driver_name, drivers.name, sizeof out->driver_name - 1);
	memcpy(out->driver_info, drivers.info, sizeof out->driver_info - 1);
	if (!dot) return;
	DotFeatures feature = {.type = TYPE_DOT_FEATURES};
	Features2 features = {.type = TYPE_FEATURES2, .next = &feature};
	vkGetPhysicalDeviceFeatures2(physical, &features);
	out->dot_supported = feature.supported;
	out->dot_accelerated = feature.supported && dots.flags[4];
}

int32_t ea_compute_family(void *physical) {
	QueueFamily families[64];
	uint32_t n = 64;
	vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, families);
	for (uint32_t i = 0; i < n; i++)
		if (families[i].flags & QUEUE_COMPUTE) return (int32_t)i;
	return -1;
}

uint32_t ea_timestamp_bits(void *physical, uint32_t family) {
	QueueFamily families[64];
	uint32_t n = 64;
	vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, families);
	return family < n ? families[family].timestamp_bits : 0;
}

int32_t ea_create_device(void *physical, uint32_t family, int robust, int dot, void **device) {
	const float priority = 1;
	const char *extensions[] = {dot_extension};
	DotFeatures dots = {TYPE_DOT_FEATURES, NULL, 1};
	Features2 features = {.type = TYPE_FEATURES2, .next = dot ? &dots : NULL};
	features.flags[0] = robust != 0;
	DeviceQueue queue = {TYPE_DEVICE_QUEUE, NULL, 0, family, 1, &priority};
	DeviceInfo info = {.type = TYPE_DEVICE, .next = &features, .queue_count = 1, .queues = &queue,
		.extension_count = dot ? 1 : 0, .extensions = extensions};
	return vkCreateDevice(physical, &info, NULL, device);
}

int32_t ea_create_layouts(void *device, const int32_t *types, uint32_t n, uint32_t push_bytes, uint64_t *set_layout, uint64_t *layout) {
	SetLayoutBinding bindings[EA_MAX_BINDINGS];
	for (uint32_t i = 0; i < n; i++) bindings[i] = (SetLayoutBinding){i, types[i], 1, STAGE_COMPUTE, NULL};
	SetLayout set = {TYPE_SET_LAYOUT, NULL, 0, n, bindings};
	int32_t result = vkCreateDescriptorSetLayout(device, &set, NULL, set_layout);
	if (result != 0) return result;
	PushRange push = {STAGE_COMPUTE, 0, push_bytes};
	PipelineLayout info = {TYPE_PIPELINE_LAYOUT, NULL, 0, 1, set_layout, push_bytes ? 1 : 0, &push};
	result = vkCreatePipelineLayout(device, &info, NULL, layout);
	if (result != 0) vkDestroyDescriptorSetLayout(device, *set_layout, NULL);
	return result;
}

int32_t ea_create_pipeline(void *device, uint64_t cache, uint64_t layout, const void *code, size_t code_bytes,
	const uint32_t *spec_ids, const uint32_t *spec_values, uint32_t specs, int based, uint64_t *pipeline) {
	uint64_t module;
	ShaderModule module_info = {TYPE_SHADER_MODULE, NULL, 0, code_bytes, code};
	int32_t result = vkCreateShaderModule(device, &module_info, NULL, &module);
	if (result != 0) return result;
	SpecEntry entries[EA_MAX_SPEC];
	for (uint32_t i = 0; i < specs; i++) entries[i] = (SpecEntry){spec_ids[i], 4 * i, 4};
	SpecInfo spec = {specs, entries, 4 * (size_t)specs, spec_values};
	ComputePipeline info = {TYPE_COMPUTE_PIPELINE, NULL, based ? PIPELINE_DISPATCH_BASE : 0, {TYPE_SHADER_STAGE, NULL, 0, STAGE_COMPUTE, module, "main", &spec}, layout, 0, -1};
	result = vkCreateComputePipelines(device, cache, 1, &info, NULL, pipeline);
	vkDestroyShaderModule(device, module, NULL);
	return result;
}

int32_t ea_create_descriptor_pool(void *device, uint32_t sets, uint32_t storage, uint32_t texels, uint64_t *pool) {
	PoolSize sizes[2];
	uint32_t n = 0;
	if (storage) sizes[n++] = (PoolSize){DESCRIPTOR_STORAGE_BUFFER, storage};
	if (texels) sizes[n++] = (PoolSize){DESCRIPTOR_UNIFORM_TEXEL_BUFFER, texels};
	DescriptorPool info = {TYPE_DESCRIPTOR_POOL, NULL, 0, sets, n, sizes};
	return vkCreateDescriptorPool(device, &info, NULL, pool);
}

int32_t ea_allocate_set(void *device, uint64_t pool, uint64_t layout, uint64_t *set) {
	AllocateSets info = {TYPE_ALLOCATE_SETS, NULL, pool, 1, &layout};
	return vkAllocateDescriptorSets(device, &info, set);
}

void ea_write_set(void *device, uint64_t set, const ea_descriptor *descriptors, uint32_t n) {
	WriteSet writes[EA_MAX_BINDINGS];
	BufferRange ranges[EA_MAX_BINDINGS];
	for (uint32_t i = 0; i < n; i++) {
		const ea_descriptor *d = &descriptors[i];
		ranges[i] = (BufferRange){d->buffer, d->offset, d->range};
		writes[i] = (WriteSet){TYPE_WRITE_SET, NULL, set, i, 0, 1, d->type, NULL, &ranges[i], &d->view};
	}
	vkUpdateDescriptorSets(device, n, writes, 0, NULL);
}

void ea_dispatch_base(void *commands, const uint32_t from[3], const uint32_t count[3]) {
	vkCmdDispatchBase(commands, from[0], from[1], from[2], count[0], count[1], count[2]);
}

void ea_barrier(void *commands, uint32_t src_stages, uint32_t dst_stages, uint32_t src_access, uint32_t dst_access) {
	MemoryBarrier barrier = {TYPE_MEMORY_BARRIER, NULL, src_access, dst_access};
	vkCmdPipelineBarrier(commands, src_stages, dst_stages, 0, 1, &barrier, 0, NULL, 0, NULL);
}

void ea_copy(void *commands, uint64_t src, uint64_t dst, const uint64_t (*regions)[3], uint32_t n) {
	vkCmdCopyBuffer(commands, src, dst, n, (const CopyRegion *)regions);
}

int32_t ea_submit(void *queue, void *commands, uint64_t fence) {
	SubmitInfo info = {.type = TYPE_SUBMIT_INFO, .command_count = 1, .commands = &commands};
	return vkQueueSubmit(queue, 1, &info, fence);
}

int32_t ea_flush(void *device, uint64_t memory, uint64_t offset, uint64_t size) {
	MappedRange range = {TYPE_MAPPED_RANGE, NULL, memory, offset, size};
	return vkFlushMappedMemoryRanges(device, 1, &range);
}

int32_t ea_invalidate(void *device, uint64_t memory, uint64_t offset, uint64_t size) {
	MappedRange range = {TYPE_MAPPED_RANGE, NULL, memory, offset, size};
	return vkInvalidateMappedMemoryRanges(device, 1, &range);
}
