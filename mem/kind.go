package mem

import "fmt"

// Kind is a kind of memory. The order is the order of preference: fastest and
// scarcest first. Data moves to a higher Kind when room is needed.
type Kind uint8

// The kinds, in order of preference.
const (
	Device Kind = iota // memory of an accelerator
	Pinned             // host memory that a device can copy from and to asynchronously
	Host               // ordinary memory of the process
	Disk               // files of the process

	// Kinds is how many kinds there are, for arrays indexed by Kind.
	Kinds = 4
)

var kindNames = [Kinds]string{"device", "pinned", "host", "disk"}

// String gives the name used in job files and reports: device, pinned, host or disk.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("mem.Kind(%d)", uint8(k))
}
