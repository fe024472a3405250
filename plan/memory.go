package plan

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/suggest"
	"github.com/seed14ed4225/sluice/mem"
)

// Memory says how much memory a run may take, as the section memory of a job does.
// The zero value of a field says nothing.
type Memory struct {
	// On is the device that the kinds device and pinned are memory of, see
	// [Job.OpenDevice]. It stays the caller's, who closes it after the memory. nil is a
	// host device that comes and goes with the memory.
	On device.Device

	Device, Pinned, Host, Disk mem.Limit
	// SpillDir is the folder for what is spilled to disk. It is relative to the
	// current folder.
	SpillDir string
	// Compress is how that is compressed. new(mem.LZ4) makes one.
	Compress *mem.Compression

	// Logger is told of limits that change nothing; nil means [slog.Default].
	Logger *slog.Logger
}

// memorySettings is the section memory of a job.
type memorySettings struct {
	at Position // of the section, zero if the job has none

	Device   At[limit]       `job:"device" doc:"most memory of the device to take: a size, a share such as 25%, or unlimited"`
	Pinned   At[limit]       `job:"pinned" doc:"most pinned memory to take"`
	Host     At[limit]       `job:"host" doc:"most memory of the process to take for rows"`
	Disk     At[limit]       `job:"disk" doc:"most room to take in spill_dir"`
	SpillDir At[string]      `job:"spill_dir" doc:"folder for rows that do not fit into memory"`
	Compress At[compression] `job:"compress" doc:"how rows are compressed on their way to disk: off, lz4 or zstd"`
}

// The settings of memory that are not the limit of a kind.
const (
	spillDirSetting = "spill_dir"
	compressSetting = "compress"
)

// limit is a mem.Limit as a setting.
type limit struct{ mem.Limit }

// UnmarshalText reads a size, a share, or unlimited.
func (l *limit) UnmarshalText(text []byte) (err error) {
	l.Limit, err = mem.ParseLimit(string(text))
	return err
}

// compression is a mem.Compression as a setting; nil if it is not given.
type compression struct{ how *mem.Compression }

// UnmarshalText reads off, lz4 or zstd.
func (c *compression) UnmarshalText(text []byte) error {
	var names []string
	for _, known := range []mem.Compression{mem.Off, mem.LZ4, mem.Zstd} {
		if known.String() == string(text) {
			c.how = &known
			return nil
		}
		names = append(names, known.String())
	}
	return fmt.Errorf("unknown compression %q%s", shorten(string(text)), instead(string(text), names))
}

// memory reads the section memory. Whether its limits can be had shows when a run
// begins: flags may override them.
func (p *parsing) memory(section *entry) {
	if section == nil || !section.value.given() {
		return
	}
	entries, ok := mappingOf(section, p.report, "a mapping of limits, such as {host: 64MiB, spill_dir: folder}")
	if !ok {
		return
	}
	s := &p.job.memory
	s.at = section.at
	d := &decoder{report: func(at Position, err error) { p.report.addf(at, "", "memory: %w", err) }}
	d.settings(section.at, entries, s, "memory")
	if s.SpillDir.Position != (Position{}) && s.SpillDir.Value == "" && d.failures == 0 {
		d.fail(s.SpillDir.Position, errors.New(spillDirSetting+": the name of a folder is empty"))
	}
}

// said returns what the section says, as a caller could say it.
func (s *memorySettings) said() Memory {
	return Memory{
		Device: s.Device.Value.Limit, Pinned: s.Pinned.Value.Limit, Host: s.Host.Value.Limit, Disk: s.Disk.Value.Limit,
		SpillDir: s.SpillDir.Value, Compress: s.Compress.Value.how,
	}
}

// place returns where the job has a setting, or else the section.
func (s *memorySettings) place(setting string) Position {
	at := map[string]Position{
		mem.Device.String(): s.Device.Position,
		mem.Pinned.String(): s.Pinned.Position,
		mem.Host.String():   s.Host.Position,
		mem.Disk.String():   s.Disk.Position,
		spillDirSetting:     s.SpillDir.Position,
		compressSetting:     s.Compress.Position,
	}[setting]
	if at == (Position{}) {
		return s.at
	}
	return at
}

// says reports whether a setting is given.
func (m Memory) says(setting string) bool {
	switch setting {
	case spillDirSetting:
		return m.SpillDir != ""
	case compressSetting:
		return m.Compress != nil
	}
	for k, l := range m.limits() {
		if mem.Kind(k).String() == setting {
			return !l.IsZero()
		}
	}
	return false
}

func (m Memory) limits() [mem.Kinds]mem.Limit {
	return [mem.Kinds]mem.Limit{mem.Device: m.Device, mem.Pinned: m.Pinned, mem.Host: m.Host, mem.Disk: m.Disk}
}

// or returns m with what it does not say taken from fallback.
func (m Memory) or(fallback Memory) Memory {
	return Memory{
		On:       m.On,
		Device:   limitOr(m.Device, fallback.Device),
		Pinned:   limitOr(m.Pinned, fallback.Pinned),
		Host:     limitOr(m.Host, fallback.Host),
		Disk:     limitOr(m.Disk, fallback.Disk),
		SpillDir: cmp.Or(m.SpillDir, fallback.SpillDir),
		Compress: cmp.Or(m.Compress, fallback.Compress),
	}
}

func limitOr(l, fallback mem.Limit) mem.Limit {
	if l.IsZero() {
		return fallback
	}
	return l
}

// A MemoryError is what is wrong with a setting that the caller of [Job.Memory] gave.
type MemoryError struct {
	Setting string // as a job calls it, such as host or spill_dir
	Err     error
}

func (e *MemoryError) Error() string { return fmt.Sprintf("memory: %s: %v", e.Setting, e.Err) }

// Unwrap returns what is wrong, without the setting.
func (e *MemoryError) Unwrap() error { return e.Err }

// Memory makes the memory that the job asks for, to be given to [Job.Network] in an
// [Env]. What over says goes before what the job says; what neither says is as
// [mem.Options] has it. If both say nothing at all there are no limits, and Memory returns
// nil; but a job that has a device, or nodes that work in device memory, gets the limits
// of device and pinned that [mem.Options] has, and unlimited host memory. The caller closes
// the memory when the network has ended.
//
// It tries whether the spill directory can be written, and changes nothing else. Refused
// are also limits of host memory in which no job can run, and sizes that are more than the
// machine or the device has, or than is free in the spill directory. The errors, joined, are
// [JobError] values for what the job says and [MemoryError] values for what over says. Limits
// of device and pinned memory in a job of which no node would take any are a warning.
func (j *Job) Memory(over Memory) (*mem.Resource, error) {
	m := over.or(j.memory.said())
	limits := over
	limits.On, limits.Logger = nil, nil
	if j.memory.at == (Position{}) && limits == (Memory{}) {
		if over.On == nil && !j.worksIn(mem.Device) {
			return nil, nil
		}
		m.Host = mem.Unlimited
	}
	opts := mem.Options{Name: fmt.Sprintf("job %q", j.name), Device: m.On, Limits: m.limits(), SpillDir: m.SpillDir}
	if m.Compress != nil {
		opts.Compress = *m.Compress
	}
	resource, err := newMemory(opts)
	if err == nil {
		j.warnOfUnused(m, over.Logger)
		return resource, nil
	}
	r := &report{file: j.file}
	var others []error
	for _, part := range flatten(err) {
		var wrong *mem.OptionError
		if !errors.As(part, &wrong) {
			others = append(others, part)
			continue
		}
		setting, err := settingOf(wrong), wrong.Err
		if m.SpillDir == "" && (wrong.Kind == mem.Disk || setting == compressSetting) {
			err = errors.New("there is no folder to spill to; name one with spill_dir in the job, or with --spill-dir")
		}
		if over.says(setting) || j.memory.at == (Position{}) {
			others = append(others, &MemoryError{Setting: setting, Err: err})
		} else {
			r.addf(j.memory.place(setting), "", "memory: %s: %w", setting, err)
		}
	}
	return nil, errors.Join(append([]error{r.err()}, others...)...)
}

// warnOfUnused tells the logger which limits change nothing. Pinned memory is where
// device memory is spilled to, too.
func (j *Job) warnOfUnused(m Memory, logger *slog.Logger) {
	var unused []string
	if !j.worksIn(mem.Device) {
		if restricts(m.Device) {
			unused = append(unused, fmt.Sprintf("%v memory (%v)", mem.Device, m.Device))
		}
		if restricts(m.Pinned) && !j.worksIn(mem.Pinned) {
			unused = append(unused, fmt.Sprintf("%v memory (%v)", mem.Pinned, m.Pinned))
		}
	}
	if unused != nil {
		cmp.Or(logger, slog.Default()).Warn(fmt.Sprintf("job %q: a limit for %s changes nothing: no node of the job takes any (%s)",
			j.name, strings.Join(unused, " or "), suggest.List(j.nodeNames())))
	}
}

// restricts reports whether somebody meant a limit to have an effect.
func restricts(l mem.Limit) bool { return !l.IsZero() && l != mem.Unlimited && l != mem.Bytes(0) }

// settingOf returns what a job calls an option of a resource.
func settingOf(e *mem.OptionError) string {
	switch {
	case e.Kind < mem.Kinds:
		return e.Kind.String()
	case e.Option == "compression":
		return compressSetting
	default:
		return spillDirSetting
	}
}
