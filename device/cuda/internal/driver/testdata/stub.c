/*
 * A library with the interface of the CUDA driver that does nothing but write down what
 * it was called with. Its functions are declared with the types of the driver's header, so
 * that the compiler of C says where each argument is, and how wide. What they give back is
 * chosen to come out wrong if it is read with another width: numbers of 64 bits have
 * both halves, those of 32 bits are negative.
 *
 * Only what the program may look up by name is visible; the rest it has to ask
 * cuGetProcAddress_v2 for.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SEEN __attribute__((visibility("default")))

typedef int CUresult;
typedef int CUdevice;
typedef int CUdevice_attribute;
typedef int CUmemPool_attribute;
typedef struct ctx *CUcontext;
typedef struct stream *CUstream;
typedef struct event *CUevent;
typedef struct pool *CUmemoryPool;
typedef struct module *CUmodule;
typedef struct function *CUfunction;
typedef int CUjit_option;
typedef unsigned long long CUdeviceptr;
typedef uint64_t cuuint64_t;
typedef struct { char bytes[16]; } CUuuid;
typedef struct {
	int allocType, handleTypes;
	struct { int type, id; } location;
	void *win32SecurityAttributes;
	size_t maxSize;
	unsigned short usage;
	unsigned char reserved[54];
} CUmemPoolProps;

#define WIDE 0x1122334455667788ull
#define HANDLE ((void *)0x7766554433221100ull)

static char name[64];
static long long args[8];
static int count, result;
static int version = 12040;
static int nice; /* be a device that can be opened */
static const char *hidden = "";

/* A call that writes down its arguments, sign-extended as C sees them. */
static CUresult note(const char *f, int n, long long a, long long b, long long c, long long d)
{
	long long all[] = {a, b, c, d};
	strcpy(name, f);
	count = n;
	memcpy(args, all, sizeof all);
	return result;
}
#define N0(f) note(f, 0, 0, 0, 0, 0)
#define N1(f, a) note(f, 1, (long long)(a), 0, 0, 0)
#define N2(f, a, b) note(f, 2, (long long)(a), (long long)(b), 0, 0)
#define N3(f, a, b, c) note(f, 3, (long long)(a), (long long)(b), (long long)(c), 0)
#define N4(f, a, b, c, d) note(f, 4, (long long)(a), (long long)(b), (long long)(c), (long long)(d))

/* For the test: what the last call was, and what the next shall give back. */
SEEN int stub_last(char *n, long long *a) { strcpy(n, name); memcpy(a, args, sizeof args); name[0] = 0; return count; }
SEEN void stub_result(int r) { result = r; }
SEEN void stub_nice(void) { nice = 1; }
SEEN void stub_version(int v) { version = v; }
SEEN void stub_hide(const char *symbol) { static char copy[64]; strcpy(copy, symbol); hidden = copy; }
SEEN size_t stub_props(int what)
{
	switch (what) {
	case 0: return sizeof(CUmemPoolProps);
	case 1: return offsetof(CUmemPoolProps, location.id);
	case 2: return offsetof(CUmemPoolProps, maxSize);
	default: return offsetof(CUmemPoolProps, usage);
	}
}

SEEN CUresult cuDriverGetVersion(int *v) { *v = version; return N0("cuDriverGetVersion"); }

static CUresult cuInit(unsigned int flags) { return N1("cuInit", flags); }
static CUresult cuGetErrorName(CUresult r, const char **s) { *s = r == 7 ? NULL : "CUDA_ERROR_STUB"; return N1("cuGetErrorName", r); }
static CUresult cuGetErrorString(CUresult r, const char **s) { *s = "of the stub"; return N1("cuGetErrorString", r); }
static CUresult cuDeviceGetCount(int *n) { *n = nice ? 1 : -3; return N0("cuDeviceGetCount"); }
static CUresult cuDeviceGet(CUdevice *d, int ordinal) { *d = nice ? 0 : -4; return N1("cuDeviceGet", ordinal); }
static CUresult cuDeviceGetName(char *s, int len, CUdevice d) { memset(s, 'x', len); strcpy(s, "Stub"); return N2("cuDeviceGetName", len, d); }
static CUresult cuDeviceGetUuid_v2(CUuuid *id, CUdevice d) { for (int i = 0; i < 16; i++) id->bytes[i] = i + 1; return N1("cuDeviceGetUuid", d); }
static CUresult cuDeviceGetPCIBusId(char *s, int len, CUdevice d) { memset(s, 'x', len); strcpy(s, "0000:01:00.0"); return N2("cuDeviceGetPCIBusId", len, d); }
static CUresult cuDeviceTotalMem_v2(size_t *n, CUdevice d) { *n = WIDE; return N1("cuDeviceTotalMem", d); }
static CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) { *v = nice ? 1 : -5; return N2("cuDeviceGetAttribute", a, d); }
static CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) { *c = HANDLE; return N1("cuDevicePrimaryCtxRetain", d); }
static CUresult cuDevicePrimaryCtxRelease_v2(CUdevice d) { return N1("cuDevicePrimaryCtxRelease", d); }
static CUresult cuCtxSetCurrent(CUcontext c) { return N1("cuCtxSetCurrent", c); }
static CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = nice ? 0 : -6; *greatest = -7; return N0("cuCtxGetStreamPriorityRange"); }
static CUresult cuMemGetInfo_v2(size_t *f, size_t *t) { *f = WIDE; *t = WIDE + 1; return N0("cuMemGetInfo"); }
static CUresult cuStreamCreateWithPriority(CUstream *s, unsigned int flags, int priority) { *s = HANDLE; return N2("cuStreamCreateWithPriority", flags, priority); }
static CUresult cuStreamDestroy_v2(CUstream s) { return N1("cuStreamDestroy", s); }
/* Only 32 bits of what a function returns mean something. */
static unsigned long long cuStreamQuery(CUstream s) { return 0xdeadbeef00000000ull | (unsigned)N1("cuStreamQuery", s); }
static CUresult cuStreamWaitEvent(CUstream s, CUevent e, unsigned int flags) { return N3("cuStreamWaitEvent", s, e, flags); }
static CUresult cuEventCreate(CUevent *e, unsigned int flags) { *e = HANDLE; return N1("cuEventCreate", flags); }
static CUresult cuEventDestroy_v2(CUevent e) { return N1("cuEventDestroy", e); }
static CUresult cuEventRecord(CUevent e, CUstream s) { return N2("cuEventRecord", e, s); }
static CUresult cuEventQuery(CUevent e) { return N1("cuEventQuery", e); }
static CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) { *ms = -1.5f; return N2("cuEventElapsedTime", from, to); }
static CUresult cuMemPoolCreate(CUmemoryPool *p, const CUmemPoolProps *props)
{
	*p = HANDLE;
	return N4("cuMemPoolCreate", props->allocType, props->handleTypes, props->location.type, props->location.id);
}
static CUresult cuMemPoolDestroy(CUmemoryPool p) { return N1("cuMemPoolDestroy", p); }
static CUresult cuMemPoolSetAttribute(CUmemoryPool p, CUmemPool_attribute a, void *v) { return N3("cuMemPoolSetAttribute", p, a, *(cuuint64_t *)v); }
static CUresult cuMemPoolGetAttribute(CUmemoryPool p, CUmemPool_attribute a, void *v) { *(cuuint64_t *)v = WIDE; return N2("cuMemPoolGetAttribute", p, a); }
static CUresult cuMemPoolTrimTo(CUmemoryPool p, size_t keep) { return N2("cuMemPoolTrimTo", p, keep); }
static CUresult cuMemAllocFromPoolAsync(CUdeviceptr *at, size_t n, CUmemoryPool p, CUstream s) { *at = WIDE; return N3("cuMemAllocFromPoolAsync", n, p, s); }
static CUresult cuMemFreeAsync(CUdeviceptr at, CUstream s) { return N2("cuMemFreeAsync", at, s); }
static char host[64];
static CUresult cuMemHostAlloc(void **at, size_t n, unsigned int flags) { strcpy(host, "pinned"); *at = host; return N2("cuMemHostAlloc", n, flags); }
static CUresult cuMemFreeHost(void *at) { return N1("cuMemFreeHost", at == host); }
static CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t n, CUstream s) { return N4("cuMemcpyHtoDAsync", dst, src == host, n, s); }
static CUresult cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t n, CUstream s) { return N4("cuMemcpyDtoHAsync", dst == host, src, n, s); }
static CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dst, CUdeviceptr src, size_t n, CUstream s) { return N4("cuMemcpyDtoDAsync", dst, src, n, s); }
static CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char v, size_t n, CUstream s) { return N4("cuMemsetD8Async", dst, v, n, s); }

static CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned int n, CUjit_option *options, void **values)
{
	*m = HANDLE;
	if (n == 2 && options[0] == 5 && options[1] == 6 && (size_t)values[1] >= 64)
		strcpy(values[0], "the log");
	return N2("cuModuleLoadDataEx", strcmp(image, "ptx"), n);
}
static CUresult cuModuleUnload(CUmodule m) { return N1("cuModuleUnload", m); }
static CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *s) { *f = HANDLE; return N2("cuModuleGetFunction", m, strcmp(s, "axpy")); }
static CUresult cuFuncGetParamInfo(CUfunction f, size_t i, size_t *offset, size_t *size) 
{
	static const size_t sizes[] = {8, 4, 8, 8}; /* of axpy, for a device that works */
	if (nice && i >= sizeof sizes / sizeof *sizes)
		return 1;
	*offset = 1;
	*size = nice ? sizes[i] : WIDE;
	return N2("cuFuncGetParamInfo", f, i);
}
static CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction f, size_t (*shared)(int), size_t dynamic, int limit)
{
	*grid = -8;
	*block = -9;
	return N4("cuOccupancyMaxPotentialBlockSize", f, shared != NULL, dynamic, limit);
}
/* Sums with weights fit the few arguments that are written down. */
static CUresult cuLaunchKernel(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared, CUstream s, void **params, void **extra)
{
	return N4("cuLaunchKernel", f, gx + 10ll * gy + 100ll * gz + 1000ll * bx + 10000ll * by + 100000ll * bz + 1000000ll * shared,
		(long long)s + (extra != NULL), *(cuuint64_t *)params[0] + *(float *)params[1]);
}

#define AS(n, f) {n, (void *)(f)}
static const struct { const char *symbol; void *f; } table[] = {
	AS("cuInit", cuInit), AS("cuDriverGetVersion", cuDriverGetVersion),
	AS("cuGetErrorName", cuGetErrorName), AS("cuGetErrorString", cuGetErrorString),
	AS("cuDeviceGetCount", cuDeviceGetCount), AS("cuDeviceGet", cuDeviceGet),
	AS("cuDeviceGetName", cuDeviceGetName), AS("cuDeviceGetUuid", cuDeviceGetUuid_v2),
	AS("cuDeviceGetPCIBusId", cuDeviceGetPCIBusId), AS("cuDeviceTotalMem", cuDeviceTotalMem_v2),
	AS("cuDeviceGetAttribute", cuDeviceGetAttribute),
	AS("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain),
	AS("cuDevicePrimaryCtxRelease", cuDevicePrimaryCtxRelease_v2),
	AS("cuCtxSetCurrent", cuCtxSetCurrent),
	AS("cuCtxGetStreamPriorityRange", cuCtxGetStreamPriorityRange),
	AS("cuMemGetInfo", cuMemGetInfo_v2),
	AS("cuStreamCreateWithPriority", cuStreamCreateWithPriority),
	AS("cuStreamDestroy", cuStreamDestroy_v2), AS("cuStreamQuery", cuStreamQuery),
	AS("cuStreamWaitEvent", cuStreamWaitEvent), AS("cuEventCreate", cuEventCreate),
	AS("cuEventDestroy", cuEventDestroy_v2), AS("cuEventRecord", cuEventRecord),
	AS("cuEventQuery", cuEventQuery), AS("cuEventElapsedTime", cuEventElapsedTime),
	AS("cuMemPoolCreate", cuMemPoolCreate),
	AS("cuMemPoolDestroy", cuMemPoolDestroy),
	AS("cuMemPoolSetAttribute", cuMemPoolSetAttribute),
	AS("cuMemPoolGetAttribute", cuMemPoolGetAttribute),
	AS("cuMemPoolTrimTo", cuMemPoolTrimTo),
	AS("cuMemAllocFromPoolAsync", cuMemAllocFromPoolAsync),
	AS("cuMemFreeAsync", cuMemFreeAsync), AS("cuMemHostAlloc", cuMemHostAlloc),
	AS("cuMemFreeHost", cuMemFreeHost), AS("cuMemcpyHtoDAsync", cuMemcpyHtoDAsync_v2),
	AS("cuMemcpyDtoHAsync", cuMemcpyDtoHAsync_v2),
	AS("cuMemcpyDtoDAsync", cuMemcpyDtoDAsync_v2), AS("cuMemsetD8Async", cuMemsetD8Async),
	AS("cuModuleLoadDataEx", cuModuleLoadDataEx), AS("cuModuleUnload", cuModuleUnload),
	AS("cuModuleGetFunction", cuModuleGetFunction), AS("cuFuncGetParamInfo", cuFuncGetParamInfo),
	AS("cuOccupancyMaxPotentialBlockSize", cuOccupancyMaxPotentialBlockSize),
	AS("cuLaunchKernel", cuLaunchKernel),
};

SEEN CUresult cuGetProcAddress_v2(const char *symbol, void **f, int v, cuuint64_t flags, int *status)
{
	*f = NULL;
	*status = 1; /* not found */
	if (v != (strcmp(symbol, "cuFuncGetParamInfo") ? 12000 : 12040) || flags != 0)
		return 1;
	if (strcmp(symbol, hidden) == 0 || strcmp("*", hidden) == 0)
		return 500;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(symbol, table[i].symbol) == 0) {
			*f = table[i].f;
			*status = 0;
			return 0;
		}
	return 500;
}

/* The same calls from C, to compare with. */
SEEN void stub_loop(CUresult (*volatile f)(CUevent), size_t n)
{
	for (size_t i = 0; i < n; i++)
		f((CUevent)i);
}
SEEN void stub_again(CUresult (*volatile f)(CUevent), CUevent e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f(e);
}
SEEN void *stub_event_query(void) { return (void *)cuEventQuery; }
