package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

type commands struct {
	Run     runCommand     `cmd:"" help:"Run a job and print its rows."`
	Graph   graphCommand   `cmd:"" help:"Show the network of a job as a graph."`
	Kinds   kindsCommand   `cmd:"" help:"List the kinds of nodes that a job can have, and their settings."`
	Devices devicesCommand `cmd:"" help:"List the devices that jobs can run on."`
	Version versionCommand `cmd:"" help:"Show which build this is."`
}

// jobFlags say which job, for the commands that take one.
type jobFlags struct {
	Job    string   `arg:"" name:"job.yaml" help:"The job file; - reads the job from standard input."`
	Params []string `name:"param" short:"p" sep:"none" placeholder:"NAME=VALUE" help:"Set a parameter of the job, in place of its default. May be repeated. A list is written [a, b]."`
}

// A usageError is a command line that makes no sense.
type usageError struct {
	message string
}

func (e usageError) Error() string { return e.message }

// An outputError is a failure to write what a command is to show.
type outputError struct {
	err error
}

func (e outputError) Error() string { return fmt.Sprintf("cannot write: %v", e.err) }
func (e outputError) Unwrap() error { return e.err }

// show writes text.
func show(out io.Writer, text string) error {
	if _, err := io.WriteString(out, text); err != nil {
		return outputError{err}
	}
	return nil
}

// watched remembers that help could not be written: the parser's error does not
// tell that from a wrong command line.
type watched struct {
	io.Writer
	err error
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// run is the whole command but for the process around it. It returns the exit
// status, and when ctx ends with an interruption, it does so soon.
func run(ctx context.Context, args []string, std streams, has offer) (status int) {
	err := dispatch(ctx, args, std, has)
	var (
		interrupted interruption
		usage       usageError
		output      outputError
		wrong       *plan.JobError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(context.Cause(ctx), &interrupted):
		_, _ = fmt.Fprintln(std.err, "sluice: interrupted")
		return interrupted.status()
	case errors.As(err, &output) && errors.Is(err, syscall.EPIPE):
		return 0 // whoever read it has seen enough
	}
	report(std.err, err)
	if errors.As(err, &usage) || errors.As(err, &wrong) {
		return 2
	}
	return 1
}

// report prints what went wrong, one line or more for each thing. Those with a
// place in a job begin with it, so that editors find it. If it cannot, there is
// nobody to tell.
func report(out io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			report(out, part)
		}
		return
	}
	var wrong *plan.JobError
	var failed *plan.RunError
	if errors.As(err, &wrong) || errors.As(err, &failed) {
		_, _ = fmt.Fprintln(out, err)
		return
	}
	var leak *mem.LeakError
	if errors.As(err, &leak) {
		err = fmt.Errorf("a mistake in sluice, not in the job; please report it: %w", err)
	}
	// Errors of the library name it already.
	_, _ = fmt.Fprintln(out, "sluice:", strings.TrimPrefix(err.Error(), "sluice: "))
}

// helped is how parsing ends once help was shown.
type helped struct{}

// dispatch runs the command that args name.
func dispatch(ctx context.Context, args []string, std streams, has offer) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			if _, ok := caught.(helped); !ok {
				panic(caught)
			}
			err = nil
		}
	}()
	var c commands
	shown := &watched{Writer: std.out}
	parser, err := kong.New(&c,
		kong.Name("sluice"),
		kong.Description("Run data through a network of nodes, more of it than fits in memory."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(shown, std.err),
		kong.Exit(func(int) { panic(helped{}) }),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	switch {
	case shown.err != nil:
		return outputError{shown.err}
	case err != nil:
		return usageError{err.Error() + misplaced(parser.Model, args) + " (see sluice --help)"}
	}
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(std)
	command.Bind(has)
	return command.Run()
}

// misplaced says, if the command line begins with a flag, which commands it belongs after.
func misplaced(model *kong.Application, args []string) string {
	flag, _, _ := strings.Cut(args[0], "=")
	var commands []string
	for _, command := range model.Children {
		for _, known := range command.Flags {
			if flag == "--"+known.Name || known.Short != 0 && flag == "-"+string(known.Short) {
				commands = append(commands, "sluice "+command.Name)
			}
		}
	}
	if commands == nil {
		return ""
	}
	return fmt.Sprintf("; %s goes after the command: %s", flag, strings.Join(commands, ", "))
}

// load reads the job that the flags name, which is made of the kinds.
func (f jobFlags) load(ctx context.Context, stdin io.Reader, kinds plan.Kinds) (*plan.Job, error) {
	params := make(map[string]string, len(f.Params))
	for _, p := range f.Params {
		name, value, ok := strings.Cut(p, "=")
		switch _, twice := params[name]; {
		case !ok || name == "":
			return nil, usageError{fmt.Sprintf("-p %s: write -p NAME=VALUE", p)}
		case twice:
			return nil, usageError{fmt.Sprintf("-p %s: %q is given twice; for a list write -p '%s=[a, b]'", p, name, name)}
		}
		params[name] = value
	}
	return await(ctx, func() (*plan.Job, error) {
		if f.Job != "-" {
			return kinds.Load(f.Job, params)
		}
		src, err := io.ReadAll(io.LimitReader(stdin, plan.LargestJob+1))
		if err != nil {
			return nil, &plan.JobError{File: "stdin", Err: err}
		}
		return kinds.Parse("stdin", src, params)
	})
}
