// Package cudac turns CUDA C into PTX while a kernel is developed, without NVIDIA's
// toolkit, and tells whether PTX that was committed is still what its source says. Programs
// that use the PTX need neither.
//
// The PTX begins with a stamp: what made it, and the hashes of the source and of
// itself. So a change of one without the other is seen on machines without the compiler.
package cudac

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Compiler is what [Compile] needs on the PATH. It is in Debian's package of that name.
const Compiler = "clang-19"

// flags make PTX that every card since Volta takes: the driver compiles it for the one it
// has. A product and a sum stay two operations, so that a kernel computes the bits that Go
// does.
var flags = []string{
	"-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_70", "-nocudainc", "-nocudalib",
	"-ffp-contract=off", "-O3", "-S",
}

var (
	// ErrNoCompiler is returned where the compiler is not there.
	ErrNoCompiler = errors.New("no " + Compiler + " on the PATH: install Debian's package of this name")

	// ErrStale is wrapped by errors that say that the PTX and its source have drifted apart.
	ErrStale = errors.New("the PTX is not what was made of its source: go generate")
)

const (
	stampCompiler = "// Compiler: "
	stampFlags    = "// Flags:    "
	stampSource   = "// Source:   SHA-256 "
	stampBody     = "// PTX:      SHA-256 "
)

// Compile returns the PTX of a file of CUDA C, with its stamp. A message of the compiler is
// in the error.
func Compile(file string) ([]byte, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	version, err := Version()
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd := exec.Command(Compiler, slices.Concat(flags, []string{"-o", "-", file})...)
	cmd.Stderr = &said
	body, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", file, err, said.Bytes())
	}
	var out bytes.Buffer
	for _, line := range []string{
		"// Code generated from CUDA C by go generate; DO NOT EDIT.",
		stampCompiler + version,
		stampFlags + strings.Join(flags, " "),
		stampSource + hash(source),
		stampBody + hash(body),
	} {
		out.WriteString(line + "\n")
	}
	out.Write(body)
	return out.Bytes(), nil
}

// Version returns what the compiler says it is, or [ErrNoCompiler].
func Version() (string, error) {
	if _, err := exec.LookPath(Compiler); err != nil {
		return "", ErrNoCompiler
	}
	out, err := exec.Command(Compiler, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", Compiler, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// Check returns nil if the PTX is what was made of the source, as far as hashes tell, and
// which compiler it says made it.
func Check(ptx, source []byte) (compiler string, err error) {
	stamped := map[string]string{}
	body := ptx
	for bytes.HasPrefix(body, []byte("// ")) && stamped[stampBody] == "" { // which is the last
		line, rest, _ := strings.Cut(string(body), "\n")
		body = []byte(rest)
		for _, stamp := range []string{stampCompiler, stampFlags, stampSource, stampBody} {
			if value, is := strings.CutPrefix(line, stamp); is {
				stamped[stamp] = value
			}
		}
	}
	switch {
	case stamped[stampSource] != hash(source):
		return "", fmt.Errorf("%w: the source has changed", ErrStale)
	case stamped[stampBody] != hash(body):
		return "", fmt.Errorf("%w: the PTX was changed by hand", ErrStale)
	case stamped[stampFlags] != strings.Join(flags, " "):
		return "", fmt.Errorf("%w: the flags have changed", ErrStale)
	}
	return stamped[stampCompiler], nil
}

func hash(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
