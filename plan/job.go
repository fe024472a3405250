package plan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A Job is a network written down, its structure checked. It is not changed
// after Load or Parse returned it, and can be made into any number of networks.
type Job struct {
	name     string
	file     string
	device   At[DeviceName] // empty if the job does not say
	memory   memorySettings
	workers  int        // 0 if the job does not say
	nodes    []*node    // in the order of the file
	order    []*node    // each after those whose channels it reads
	channels []*channel // in the order in which nodes name them
}

type node struct {
	name    string
	at      Position
	kind    *Kind
	step    Step
	places  map[string]Position // of the settings that it has
	in, out []At[string]
	reads   []*channel
	writes  []*channel
}

type channel struct {
	name     string
	at       Position // where it is first named
	settings channelSettings
	writers  []*node
	readers  []*node
}

type channelSettings struct {
	Slots  int       `job:"slots,min=1" doc:"how many messages may wait in the channel"`
	Bytes  size.Size `job:"bytes,min=1" doc:"how many bytes may wait in the channel; one message always fits"`
	Shared bool      `job:"shared" doc:"several nodes read the channel, and each row goes to one of them"`
}

// Load reads a job file that uses the built-in kinds. Params override the
// defaults of the job's parameters; each is read as YAML where it is a whole
// value ("10", "[a, b]") and put in as it stands where it is part of a longer
// text.
//
// Whatever can be known without the data is checked; Check does the rest. The
// error joins [JobError] values.
func Load(path string, params map[string]string) (*Job, error) {
	return Builtin().Load(path, params)
}

// Parse is Load for the text of a job, which may have up to LargestJob bytes.
// Errors name it as file; ${job_dir} is the folder of that name.
func Parse(file string, src []byte, params map[string]string) (*Job, error) {
	return Builtin().Parse(file, src, params)
}

// Load is the function Load with these kinds.
func (ks Kinds) Load(path string, params map[string]string) (*Job, error) {
	src, err := readJob(path)
	if err != nil {
		return nil, &JobError{File: path, Err: fmt.Errorf("cannot read the job: %w", suggest.File(path, err))}
	}
	return ks.Parse(path, src, params)
}

// readJob reads no more of a file than Parse takes, since it may be no job at
// all but a table of many gigabytes.
func readJob(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, LargestJob+1))
}

// Parse is the function Parse with these kinds.
func (ks Kinds) Parse(file string, src []byte, params map[string]string) (*Job, error) {
	r := &report{file: file}
	root := parseYAML(src, r)
	if root == nil {
		return nil, r.err()
	}
	p := &parsing{
		report: r,
		kinds:  ks,
		job:    &Job{file: file, name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))},
	}
	p.root(root, params)
	if err := r.err(); err != nil {
		return nil, err
	}
	return p.job, nil
}

// Name is what the job calls itself, or else its file's name without extension.
func (j *Job) Name() string { return j.name }
