package driver

// A Result is what every function of the driver returns.
type Result uint32

// The results that the code looks at, by the numbers of the driver's header.
const (
	Success              Result = 0
	InvalidValue         Result = 1
	OutOfMemory          Result = 2
	NotInitialized       Result = 3
	Deinitialized        Result = 4
	NoDevice             Result = 100
	InvalidDevice        Result = 101
	InvalidContext       Result = 201
	ECCUncorrectable     Result = 214
	InvalidPTX           Result = 218
	NVLinkUncorrectable  Result = 220
	Contained            Result = 226
	InvalidHandle        Result = 400
	NotFound             Result = 500
	NotReady             Result = 600
	IllegalAddress       Result = 700
	LaunchTimeout        Result = 702
	ContextIsDestroyed   Result = 709
	Assert               Result = 710
	HardwareStackError   Result = 714
	IllegalInstruction   Result = 715
	MisalignedAddress    Result = 716
	InvalidAddressSpace  Result = 717
	InvalidPC            Result = 718
	LaunchFailed         Result = 719
	TensorMemoryLeak     Result = 721
	NotSupported         Result = 801
	SystemNotReady       Result = 802
	SystemDriverMismatch Result = 803
	MPSClientTerminated  Result = 810
	ExternalDevice       Result = 911
	Unknown              Result = 999
)

// Sticky returns whether a context that has reported this is lost: every later call
// says the same. This is the one place that knows.
func (r Result) Sticky() bool {
	switch r {
	case Deinitialized, ECCUncorrectable, NVLinkUncorrectable, Contained, IllegalAddress,
		LaunchTimeout, ContextIsDestroyed, Assert, HardwareStackError, IllegalInstruction,
		MisalignedAddress, InvalidAddressSpace, InvalidPC, LaunchFailed, TensorMemoryLeak,
		MPSClientTerminated, ExternalDevice, Unknown:
		return true
	}
	return false
}
