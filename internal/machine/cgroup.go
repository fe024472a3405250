package machine

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// limited returns total, or less if a control group of the process, or one that it is
// in, has a lower limit. The file system is that of the machine, from its root.
//
// In a container the path that the process is told may be one from outside, of which
// nothing can be seen. What limits the container is at the top then.
func limited(root fs.FS, total int64) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return total
	}
	for line := range strings.Lines(string(text)) {
		// hierarchy:controllers:path, where version 2 has no controllers
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			for _, mount := range [...]string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				total = lowest(root, mount, parts[2], total, "memory.max", "memory.high")
			}
		case contains(parts[1], "memory"):
			total = lowest(root, "sys/fs/cgroup/memory", parts[2], total, "memory.limit_in_bytes")
		}
	}
	return total
}

func contains(list, word string) bool {
	for entry := range strings.SplitSeq(list, ",") {
		if entry == word {
			return true
		}
	}
	return false
}

// lowest looks at the files of a group and of those above it.
func lowest(root fs.FS, mount, group string, total int64, files ...string) int64 {
	for at := path.Join("/", group); ; at = path.Dir(at) {
		for _, file := range files {
			text, err := fs.ReadFile(root, path.Join(mount, at, file))
			if err != nil {
				continue
			}
			// Not a number is "max", no limit.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				total = min(total, n)
			}
		}
		if at == "/" {
			return total
		}
	}
}
