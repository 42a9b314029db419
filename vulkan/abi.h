// The few structures of the Vulkan ABI that shim.c fills, declared here so that building needs no Vulkan headers.
// Source: Vulkan 1.1 specification and its registry (vk.xml); layouts are part of the stable ABI.
#ifndef EDGEADAPT_VULKAN_ABI_H
#define EDGEADAPT_VULKAN_ABI_H

#include <stddef.h>
#include <stdint.h>

enum {
	TYPE_SUBMIT_INFO = 4,
	TYPE_DEVICE_QUEUE = 2,
	TYPE_DEVICE = 3,
	TYPE_MAPPED_RANGE = 6,
	TYPE_SHADER_MODULE = 16,
	TYPE_SHADER_STAGE = 18,
	TYPE_COMPUTE_PIPELINE = 29,
	TYPE_PIPELINE_LAYOUT = 30,
	TYPE_SET_LAYOUT = 32,
	TYPE_DESCRIPTOR_POOL = 33,
	TYPE_ALLOCATE_SETS = 34,
	TYPE_WRITE_SET = 35,
	TYPE_MEMORY_BARRIER = 46,
	TYPE_FEATURES2 = 1000059000,
	TYPE_PROPERTIES2 = 1000059001,
	TYPE_ID = 1000071004,
	TYPE_SUBGROUP = 1000094000,
	TYPE_MAINTENANCE3 = 1000168000,
	TYPE_MESSENGER = 1000128004,
	TYPE_DRIVER = 1000196000,
	TYPE_VALIDATION_FEATURES = 1000247000,
	TYPE_DOT_FEATURES = 1000280000,
	TYPE_DOT_PROPERTIES = 1000280001,
};

enum { DESCRIPTOR_UNIFORM_TEXEL_BUFFER = 4, DESCRIPTOR_STORAGE_BUFFER = 7 };
enum { STAGE_COMPUTE = 0x20, QUEUE_COMPUTE = 2, PIPELINE_DISPATCH_BASE = 0x10 };

#define CHAIN int32_t type; const void *next

typedef struct { CHAIN; } Chain;
typedef struct { CHAIN; uint8_t device_uuid[16], driver_uuid[16], luid[8]; uint32_t node_mask, luid_valid; } IDProperties;
typedef struct { CHAIN; uint32_t size, stages, operations, quad; } SubgroupProperties;
typedef struct { CHAIN; uint32_t set_descriptors; uint64_t allocation_bytes; } Maintenance3Properties;
typedef struct { CHAIN; int32_t id; char name[256], info[256]; uint8_t conformance[4]; } DriverProperties;
typedef struct { CHAIN; uint32_t flags[30]; } DotProperties; // [4]: 4x8 bits packed, signed
typedef struct { CHAIN; uint32_t supported; } DotFeatures;
typedef struct { CHAIN; uint32_t flags[55]; } Features2;      // [0]: robustBufferAccess
typedef struct { CHAIN; uint64_t properties[1024]; } Properties2; // more than any VkPhysicalDeviceProperties
typedef struct { CHAIN; uint32_t enabled_count; const int32_t *enabled; uint32_t disabled_count; const int32_t *disabled; } ValidationFeatures;
typedef struct { CHAIN; uint32_t flags; const char *id_name; int32_t id; const char *message; } MessageData; // its beginning
typedef struct { CHAIN; uint32_t flags, severity, types; uint32_t (*callback)(uint32_t, uint32_t, const MessageData *, void *); void *user; } Messenger;

typedef struct { uint32_t flags, count, timestamp_bits, granularity[3]; } QueueFamily;
typedef struct { char name[256]; uint32_t version; } Extension;
typedef struct { CHAIN; uint32_t flags, family, count; const float *priorities; } DeviceQueue;
typedef struct {
	CHAIN; uint32_t flags, queue_count; const DeviceQueue *queues;
	uint32_t layer_count; const char *const *layers; uint32_t extension_count; const char *const *extensions; const void *features;
} DeviceInfo;

typedef struct { uint32_t binding; int32_t type; uint32_t count, stages; const void *samplers; } SetLayoutBinding;
typedef struct { CHAIN; uint32_t flags, count; const SetLayoutBinding *bindings; } SetLayout;
typedef struct { uint32_t stages, offset, size; } PushRange;
typedef struct { CHAIN; uint32_t flags, set_count; const uint64_t *sets; uint32_t push_count; const PushRange *pushes; } PipelineLayout;
typedef struct { CHAIN; uint32_t flags; size_t bytes; const void *code; } ShaderModule;
typedef struct { uint32_t id, offset; size_t size; } SpecEntry;
typedef struct { uint32_t count; const SpecEntry *entries; size_t bytes; const void *data; } SpecInfo;
typedef struct { CHAIN; uint32_t flags; int32_t stage; uint64_t module; const char *name; const SpecInfo *spec; } ShaderStage;
typedef struct { CHAIN; uint32_t flags; ShaderStage stage; uint64_t layout, base; int32_t base_index; } ComputePipeline;

typedef struct { int32_t type; uint32_t count; } PoolSize;
typedef struct { CHAIN; uint32_t flags, max_sets, count; const PoolSize *sizes; } DescriptorPool;
typedef struct { CHAIN; uint64_t pool; uint32_t count; const uint64_t *layouts; } AllocateSets;
typedef struct { uint64_t buffer, offset, range; } BufferRange;
typedef struct {
	CHAIN; uint64_t set; uint32_t binding, element, count; int32_t descriptor;
	const void *images; const BufferRange *buffers; const uint64_t *views;
} WriteSet;

typedef struct { CHAIN; uint32_t src, dst; } MemoryBarrier;
typedef struct { uint64_t src, dst, size; } CopyRegion;
typedef struct {
	CHAIN; uint32_t wait_count; const uint64_t *waits; const uint32_t *wait_stages; uint32_t command_count; void *const *commands;
	uint32_t signal_count; const uint64_t *signals;
} SubmitInfo;
typedef struct { CHAIN; uint64_t memory, offset, size; } MappedRange;

#endif
