// What the Vulkan binding lacks, or cannot do safely, in plain C.
//
// The binding covers Vulkan 1.0 only, so queries of 1.1 and the debug messenger are made here. Besides, its calls that
// take arrays of structures copy them to C memory which a finalizer may free while the driver still reads it; every
// such call is made here instead, from arrays on the C stack.
//
// Dispatchable handles are void*, the others uint64_t, as the Vulkan ABI has them on all platforms. The functions are
// process-wide loader entry points, valid for every instance.
#ifndef EDGEADAPT_VULKAN_SHIM_H
#define EDGEADAPT_VULKAN_SHIM_H

#include <stddef.h>
#include <stdint.h>

// Most bindings of a kernel, and most specialisation constants.
#define EA_MAX_BINDINGS 32
#define EA_MAX_SPEC 64

typedef struct {
	uint8_t uuid[16];
	uint32_t subgroup_size, subgroup_stages, subgroup_operations;
	char driver_name[256], driver_info[256]; // empty where the driver does not tell
	uint32_t dot_supported, dot_accelerated;
	uint64_t allocation_bytes; // the largest piece of memory
} ea_properties;

typedef struct {
	int32_t type; // VkDescriptorType
	uint64_t buffer, offset, range, view;
} ea_descriptor;

// Opens the loader and returns vkGetInstanceProcAddr, NULL if there is none.
void *ea_load(void);
// The loader's version of Vulkan.
uint32_t ea_loader_version(void);
// Finds the functions below; instance is any live one.
void ea_bind(void *instance);

// A VkValidationFeaturesEXT that adds synchronisation validation, for VkInstanceCreateInfo.pNext.
void *ea_validation_features(void);
int32_t ea_create_messenger(void *instance, uintptr_t user, uint64_t *messenger);
void ea_destroy_messenger(void *instance, uint64_t messenger);

void ea_get_properties(void *physical, ea_properties *out);
// The first queue family with compute, -1 if there is none.
int32_t ea_compute_family(void *physical);
// The bits of the clock of a family's queues, 0 where they have none.
uint32_t ea_timestamp_bits(void *physical, uint32_t family);
int32_t ea_create_device(void *physical, uint32_t family, int robust, int dot, void **device);

int32_t ea_create_layouts(void *device, const int32_t *types, uint32_t n, uint32_t push_bytes, uint64_t *set_layout, uint64_t *layout);
int32_t ea_create_pipeline(void *device, uint64_t cache, uint64_t layout, const void *code, size_t code_bytes,
	const uint32_t *spec_ids, const uint32_t *spec_values, uint32_t specs, int based, uint64_t *pipeline);
int32_t ea_create_descriptor_pool(void *device, uint32_t sets, uint32_t storage, uint32_t texels, uint64_t *pool);
int32_t ea_allocate_set(void *device, uint64_t pool, uint64_t layout, uint64_t *set);
void ea_write_set(void *device, uint64_t set, const ea_descriptor *descriptors, uint32_t n);

// Runs workgroups [from, from + count) with a pipeline that was made with based.
void ea_dispatch_base(void *commands, const uint32_t from[3], const uint32_t count[3]);
void ea_barrier(void *commands, uint32_t src_stages, uint32_t dst_stages, uint32_t src_access, uint32_t dst_access);
// Copies n pieces; regions holds, of each, where it is in src, where it goes in dst, and its size.
void ea_copy(void *commands, uint64_t src, uint64_t dst, const uint64_t (*regions)[3], uint32_t n);
int32_t ea_submit(void *queue, void *commands, uint64_t fence);

int32_t ea_flush(void *device, uint64_t memory, uint64_t offset, uint64_t size);
int32_t ea_invalidate(void *device, uint64_t memory, uint64_t offset, uint64_t size);

#endif
