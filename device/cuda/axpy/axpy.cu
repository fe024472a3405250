// y = a*x + y over n numbers, see the package's doc. After a change: go generate.
//
// There is no CUDA toolkit, so what its headers give names to is spelled out here.
//
// The product is rounded before it is added, because the compiler is told not to fuse the
// two (-ffp-contract=off). A fused multiply-add would cost the same here, where memory sets
// the pace, and round once, but then the bits would not be those of the host device.
//
// A kernel that does so little work for each byte is as fast as it keeps memory busy. Each
// thread takes 16 bytes of x and of y at once, the most a load can: with loads of 4 bytes
// all the threads a multiprocessor of an H100 can have ask for 16 KiB together, which is
// just about what memory delivers in the time of one answer, and every hiccup shows.
// Spans that begin elsewhere than at a multiple of 16 bytes go number by number.
//
// Threads stride over the whole grid, so any grid does.

typedef unsigned long long u64;
typedef float float4 __attribute__((ext_vector_type(4)));
typedef double double2 __attribute__((ext_vector_type(2)));

#define GLOBAL extern "C" __attribute__((global)) void
#define DEVICE static inline __attribute__((device))

DEVICE u64 first() { return (u64)__nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x(); }
DEVICE u64 stride() { return (u64)__nvvm_read_ptx_sreg_nctaid_x() * __nvvm_read_ptx_sreg_ntid_x(); }

template <typename Number, typename Vector>
DEVICE void axpy(u64 n, Number a, const Number *x, Number *y)
{
	const u64 wide = sizeof(Vector) / sizeof(Number);
	u64 done = 0;
	if ((((u64)x | (u64)y) & (sizeof(Vector) - 1)) == 0) {
		const Vector *xs = (const Vector *)x;
		Vector *ys = (Vector *)y;
		for (u64 i = first(); i < n / wide; i += stride())
			ys[i] = a * xs[i] + ys[i];
		done = n / wide * wide;
	}
	for (u64 i = done + first(); i < n; i += stride())
		y[i] = a * x[i] + y[i];
}

GLOBAL sluice_axpy_f32(u64 n, float a, const float *x, float *y) { axpy<float, float4>(n, a, x, y); }
GLOBAL sluice_axpy_f64(u64 n, double a, const double *x, double *y) { axpy<double, double2>(n, a, x, y); }
