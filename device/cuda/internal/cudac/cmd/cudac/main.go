// Command cudac makes PTX of CUDA C, beside its source:
//
//	//go:generate go run MODULE/device/cuda/internal/cudac/cmd/cudac axpy.cu
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/seed14ed4225/sluice/device/cuda/internal/cudac"
)

func main() {
	for _, file := range os.Args[1:] {
		if err := write(file); err != nil {
			fmt.Fprintln(os.Stderr, "cudac:", err)
			os.Exit(1)
		}
	}
}

func write(file string) error {
	ptx, err := cudac.Compile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(file, ".cu")+".ptx", ptx, 0o644)
}
