package machine

import (
	"os"
	"syscall"
)

func memory() int64 {
	total := int64(unknown)
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	return limited(os.DirFS("/"), total)
}
