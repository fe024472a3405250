package main

import "context"

// scan compares reading all rows and columns of both files with the two readers that Go
// has. The answer is the number of values that were decoded: the other cases compare what
// they are. One line is against all that they can do, one against what does the same: parquet-go's pages
// have codes of dictionaries where the chunks of Sluice have numbers.
func (b *bench) scan(ctx context.Context) {
	for _, file := range []struct{ what, path string }{{"flights", b.flights}, {"lines", b.lines}} {
		b.compare(ctx, "scan of all "+file.what, target{most: 1},
			contender{"Sluice", func(ctx context.Context) (answer, error) { return scanChunks(ctx, file.path) }},
			contender{"arrow-go", func(ctx context.Context) (answer, error) { return scanBatches(ctx, file.path) }},
			contender{"parquet-go", func(ctx context.Context) (answer, error) { return scanPages(ctx, file.path, b.threads) }},
		)
		b.compare(ctx, "scan of all "+file.what+" into arrays", target{most: 1},
			contender{"Sluice", func(ctx context.Context) (answer, error) { return scanChunks(ctx, file.path) }},
			contender{"parquet-go, values of dictionaries looked up", func(ctx context.Context) (answer, error) {
				return scanArrays(ctx, file.path, b.threads)
			}},
		)
	}
}
