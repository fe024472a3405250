package ops_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// Three workers square numbers at their own pace, and the results arrive in order.
func Example() {
	net := sluice.NewNetwork("squares")
	numbers, results := net.Channel("numbers"), net.Channel("results")
	var work, done []*sluice.Channel
	for i := range 3 {
		in, out := net.Channel(fmt.Sprint("work", i)), net.Channel(fmt.Sprint("done", i))
		net.Node(ops.Map(fmt.Sprint("worker", i), in, out, func(_ context.Context, n int) (int, error) {
			return n * n, nil
		}))
		work, done = append(work, in), append(done, out)
	}

	var squares []int
	net.Node(ops.PushSlice("source", numbers, []int{1, 2, 3, 4, 5, 6, 7, 8}))
	net.Node(ops.Distribute("share", numbers, work))
	net.Node(ops.OrderedMerge("sort", done, results))
	net.Node(ops.Pull("sink", results, &squares))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(squares)
	// Output: [1 4 9 16 25 36 49 64]
}

// Four files are to be read, two at once at most: a source takes a ticket before it
// reads, and gives it back when what it has read is released.
func ExampleProduce() {
	files := []string{"a b c", "d e", "f", "g h i j"}

	net := sluice.NewNetwork("words")
	words := net.Channel("words")
	throttle, err := sluice.NewThrottle(words, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, file := range files {
		scanner := bufio.NewScanner(strings.NewReader(file))
		scanner.Split(bufio.ScanWords)
		net.Node(ops.Produce(fmt.Sprint("file", i), words, func(context.Context, sluice.SeqNum) (string, error) {
			if scanner.Scan() {
				return scanner.Text(), nil
			}
			if err := scanner.Err(); err != nil {
				return "", err
			}
			return "", io.EOF
		}, ops.Holding(throttle)))
	}
	var got []string
	net.Node(ops.Pull("sink", words, &got))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(got), slices.Max(got))
	// Output: 10 j
}

// Two readers see the same words. The second wants them when the first has all, so
// the broadcast keeps them for it.
func ExampleBroadcast() {
	net := sluice.NewNetwork("words")
	words, short, long := net.Channel("words"), net.Channel("short"), net.Channel("long")
	net.Node(ops.Push("source", words, strings.FieldsSeq("to see a world in a grain of sand")))
	net.Node(ops.Broadcast("both", words, []*sluice.Channel{short, long}, ops.Shared(), ops.BacklogUnbounded()))
	net.Node("one after the other", func(ctx context.Context) error {
		for _, in := range []*sluice.Channel{short, long} {
			for m, err := range in.All(ctx) {
				if err != nil {
					return err
				}
				word, err := sluice.Take[string](&m)
				if err != nil {
					return err
				}
				if in == short && len(word) < 3 || in == long && len(word) > 4 {
					fmt.Println(in.Name(), m.Seq(), word)
				}
			}
		}
		return nil
	}, sluice.Reads(short, long))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// short 0 to
	// short 2 a
	// short 4 in
	// short 5 a
	// short 7 of
	// long 3 world
	// long 6 grain
}

// Sources of their own pace, each with every third number, and one order.
func ExampleOrderedMerge() {
	net := sluice.NewNetwork("turns")
	merged := net.Channel("merged")
	var sources []*sluice.Channel
	for i, who := range []string{"red", "green", "blue"} {
		out := net.Channel(who)
		net.Node(ops.PushSlice(who, out, []string{who, who}, ops.Numbered(sluice.SeqNum(i), 3)))
		sources = append(sources, out)
	}
	net.Node(ops.OrderedMerge("merge", sources, merged, ops.Dense(0)))
	var got []string
	net.Node(ops.Pull("sink", merged, &got))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got)
	// Output: [red green blue red green blue]
}

// What comes first goes first, so the order is not that of a loop over the inputs.
func ExampleMerge() {
	net := sluice.NewNetwork("merge")
	left, right, both := net.Channel("left"), net.Channel("right"), net.Channel("both")
	net.Node(ops.PushSlice("odd", left, []int{1, 3, 5}))
	net.Node(ops.PushSlice("even", right, []int{2, 4, 6}))
	net.Node(ops.Merge("merge", []*sluice.Channel{left, right}, both))
	var got []int
	net.Node(ops.Pull("sink", both, &got))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(slices.Sorted(slices.Values(got)))
	// Output: [1 2 3 4 5 6]
}

// A sequence without end is read as far as somebody wants it.
func ExamplePush() {
	evens := func(yield func(int) bool) {
		for n := 0; yield(n); n += 2 {
		}
	}
	net := sluice.NewNetwork("evens")
	numbers, squares := net.Channel("numbers"), net.Channel("squares")
	net.Node(ops.Push("evens", numbers, evens))
	net.Node(ops.Filter("squares", numbers, squares, func(n int) bool {
		for root := 0; root*root <= n; root++ {
			if root*root == n {
				return true
			}
		}
		return false
	}))
	net.Node("first four", func(ctx context.Context) error {
		for range 4 {
			m, err := squares.Recv(ctx)
			if err != nil {
				return err
			}
			n, err := sluice.Take[int](&m)
			if err != nil {
				return err
			}
			fmt.Println(n)
		}
		return nil // the network ends everything before this, too
	}, sluice.Reads(squares))

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0
	// 4
	// 16
	// 36
}

// Who takes what is decided by who is free; all of it is taken by someone.
func ExampleDistribute() {
	net := sluice.NewNetwork("share")
	jobs := net.Channel("jobs")
	workers := []*sluice.Channel{net.Channel("ann"), net.Channel("bob")}
	taken := make([][]string, len(workers))
	net.Node(ops.Push("source", jobs, maps.Keys(map[string]bool{"sweep": true, "cook": true, "shop": true})))
	net.Node(ops.Distribute("share", jobs, workers))
	for i, work := range workers {
		net.Node(ops.Pull("worker "+work.Name(), work, &taken[i]))
	}

	if err := net.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(slices.Sorted(slices.Values(slices.Concat(taken...))))
	// Output: [cook shop sweep]
}
