package sluice_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

func Example() {
	net := sluice.NewNetwork("shout")
	words, loud := net.Channel("words"), net.Channel("loud", sluice.Of[string]()) // one slot each
	net.Node(ops.PushSlice("source", words, []string{"out", "of", "core"}))
	net.Node("shout", func(ctx context.Context) error {
		for m, err := range words.All(ctx) {
			if err != nil {
				return err // the network has ended: pass it on
			}
			word, err := sluice.Take[string](&m) // the payload is ours, the number stays
			if err == nil {
				m.Replace(strings.ToUpper(word))
				err = loud.Send(ctx, &m) // waits while loud is full; m is empty afterwards
			}
			if m.Release(); err != nil { // frees what was not sent
				return err
			}
		}
		return nil // nobody closes anything by hand
	}, sluice.Reads(words), sluice.Writes(loud))
	var got []string
	net.Node(ops.Pull("sink", loud, &got))
	fmt.Println(net.Run(context.Background()), got)
	// Output: <nil> [OUT OF CORE]
}

// Every Go program and snippet in the README and in docs is part of an example that
// runs here, line for line.
func TestDocumentationShowsExamplesThatRun(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples string
	for _, file := range []string{
		"example_test.go", "example_throttle_test.go", "example_memory_test.go", "device/cuda/example_test.go", "examples/gpu/stream/network.go",
	} {
		examples += read(t, file)
	}
	blocks := 0
	for _, file := range append(files, "README.md") {
		for _, block := range strings.Split(read(t, file), "```go\n")[1:] {
			block, _, found := strings.Cut(block, "```\n")
			if !found {
				t.Errorf("%s has a block that does not end", file)
			}
			blocks++
			code := strings.TrimSuffix(strings.TrimPrefix(block, "func main() {\n"), "}\n")
			if !strings.Contains(examples, code) {
				t.Errorf("%s shows code that is no example's:\n%s", file, block)
			}
		}
	}
	if readme := read(t, "README.md"); strings.Contains(readme, "TABLE") {
		t.Error("the README has a placeholder")
	}
	if blocks < 3 {
		t.Errorf("found %d blocks of Go in the documentation", blocks)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
