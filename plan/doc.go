// Package plan turns a job, a network written down in YAML, into a network.
//
//	name: flights
//	device: host
//	params:
//	  files: ${job_dir}/data/*.parquet
//	nodes:
//	  scan: {kind: scan, files: "${files}", columns: [origin, delay], out: flights}
//	  late: {kind: filter, in: flights, where: delay > 60, out: late}
//	  show: {kind: print, in: late}
//	channels:
//	  flights: {slots: 2, bytes: 64MiB}
//
// Every node has a name, a kind, the settings of that kind, and the names of the
// channels that it reads (in) and writes (out). A channel exists because nodes
// name it; it may be given slots, a bound in bytes, and, if several nodes are to
// take turns reading it, shared: true. [Builtin] lists the kinds, and a program
// can add its own.
//
// # Expressions
//
// A condition (where) and the value of a new column (compute of a project) are expressions, which
// package table/expr reads, much as in SQL. One with a comma, a colon or a # has to be in quotes
// where YAML would take those for its own.
//
// # Workers
//
// Nodes whose work can be split compute with as many goroutines as the machine has processors, or
// as the job says:
//
//	workers: 4
//
// A node can have workers of its own, and [Env] can say otherwise for all that have not. It
// changes neither the rows nor, where that is promised, their order.
//
// # Memory
//
// A job may say how much memory it takes, and where rows go that do not fit:
//
//	memory: {host: 256MiB, disk: 20GiB, spill_dir: /fast/tmp, compress: lz4}
//
// Limits are device, pinned, host and disk, the kinds of package mem: a size such as
// 256MiB, where a bare number is bytes; a share of what the machine has, such as 25%; or
// unlimited. A size is at most what the machine has of it, or what is free in
// spill_dir, and for host at least 64KiB. A limit that is not given, or has no value, as
// in "host:", is half of the machine's memory or of the device's, a quarter for
// pinned; for disk it is nine tenths of what is free in spill_dir, and nothing without a
// spill_dir, which disk and compress need. Compress is off, lz4 or zstd. The files in
// spill_dir are private, and gone when the run ends, however it ends.
//
// A node that needs memory waits until there is some, and rows that wait
// themselves are moved to disk. A node that cannot have what it needs fails, and the
// error says what it lacked and which settings to try. That is a suggestion: what lies
// behind that step may need more. A scan whose chunks are too large for a limit reads
// fewer rows at a time with rows. A job without memory, or with nothing under it, runs
// without limits.
//
// # Devices
//
// Some kinds of node may work in the memory of a device; [Kind] says which, and sluice
// kinds shows it. Which device that is, the job may say:
//
//	device: cuda:0
//
// It is host, which every machine has and which is what a job gets that says nothing, or
// a CUDA device by its number; cuda alone is cuda:0. A device that is not there is an error
// of the job. One that is there and that no node of the job can use is left alone: a warning
// names the nodes, and the job runs on the host. With nodes for it, a job has its limits
// of device and pinned on that device, half of the device's memory and a quarter of
// the machine's if it does not say, with or without a section memory.
//
// # Parameters
//
// A value may use parameters as ${name}; for a literal ${ write $${. Where
// ${name} is the whole value, it keeps the type of the parameter: a number, a
// list. Inside { } and [ ] YAML wants it in quotes, which changes nothing. In a
// longer text it is put in as text. Params gives the defaults, which may use
// other parameters; one without a default must be given. ${job_dir} is the
// folder of the job file and ${temp_dir} the system's for temporary files ($TMPDIR,
// or else usually /tmp), while relative paths are relative to the current folder,
// as on the command line.
//
// Parameters are put into values after YAML was parsed. No parameter can add a
// setting or a node.
//
// # YAML
//
// Jobs are plain YAML 1.2 without anchors, aliases, merge keys and tags, one
// document per file. A number with a leading zero is text, as are yes and no.
// Keys that nothing knows are errors.
//
// # Three steps
//
// [Load] and [Parse] check all that can be known without the data, [Job.Check]
// opens the files and follows the columns through the nodes, [Job.Network] makes
// the network, [Job.OpenDevice] what it runs on and [Job.Memory] what it runs in. What
// is wrong with the job in any of them is a [JobError] with file, line and column; as
// many as were found are joined.
package plan
