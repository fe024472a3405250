package machine

import (
	"testing"
	"testing/fstest"
)

func TestMemoryIsWhatTheLowestControlGroupAllows(t *testing.T) {
	const total = 1 << 30
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, total},
		{"version 2, own limit", map[string]string{
			"proc/self/cgroup":              "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":  "1000\n",
			"sys/fs/cgroup/a/memory.max":    "2000\n",
			"sys/fs/cgroup/else/memory.max": "1\n",
		}, 1000},
		{"version 2, limit of the parent", map[string]string{
			"proc/self/cgroup":             "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/memory.max":   "2000\n",
		}, 2000},
		{"version 2, throttled below its limit", map[string]string{
			"proc/self/cgroup":            "0::/a\n",
			"sys/fs/cgroup/a/memory.max":  "3000\n",
			"sys/fs/cgroup/a/memory.high": "2500\n",
		}, 2500},
		{"version 2, in a container that does not see its path", map[string]string{
			"proc/self/cgroup":         "0::/../../x\n",
			"sys/fs/cgroup/memory.max": "4000\n",
		}, 4000},
		{"version 2, unlimited", map[string]string{
			"proc/self/cgroup":           "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n",
		}, total},
		{"more than the machine has", map[string]string{
			"proc/self/cgroup":           "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "9223372036854771712\n",
		}, total},
		{"version 1", map[string]string{
			"proc/self/cgroup": "9:cpu:/c\n4:hugetlb,memory:/d/e\n1:name=systemd:/f\n",
			"sys/fs/cgroup/memory/d/e/memory.limit_in_bytes":   "5000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":       "9223372036854771712\n",
			"sys/fs/cgroup/memory/other/memory.limit_in_bytes": "1\n",
		}, 5000},
		{"version 1, limit of the parent", map[string]string{
			"proc/self/cgroup": "4:memory:/d/e\n",
			"sys/fs/cgroup/memory/d/memory.limit_in_bytes": "6000\n",
		}, 6000},
		{"both, memory in the old one", map[string]string{
			"proc/self/cgroup": "4:memory:/d\n0::/u\n",
			"sys/fs/cgroup/memory/d/memory.limit_in_bytes": "7000\n",
			"sys/fs/cgroup/unified/u/cgroup.procs":         "",
		}, 7000},
		{"nonsense", map[string]string{
			"proc/self/cgroup":           "what\n0::/a\n",
			"sys/fs/cgroup/a/memory.max": "plenty\n",
		}, total},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := limited(root, total); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

func TestTheMachineHasMemory(t *testing.T) {
	if n := Memory(); n < 1<<20 {
		t.Errorf("%d bytes", n)
	}
}
