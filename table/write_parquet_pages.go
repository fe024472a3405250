package table

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// fileOrder has columns that are encoded at the same time come into the file one behind the other. The
// column whose turn it is writes its pages as they are made. The others keep theirs, as long as there is
// room for them, and then wait for their turn. So no column ever waits for one behind it, and the
// first needs no memory for what it has encoded.
type fileOrder struct {
	room atomic.Int64 // bytes of pages that may still be kept
	mu   struct {
		sync.Mutex
		columns []*columnPages // those not written yet, in the order of the file
	}
}

// columnPages takes the pages of a column from its encoder, and writes them in turn.
type columnPages struct {
	file.PageWriter // to the file; what it inherits from it does not touch the file

	ctx   context.Context // of whoever encodes the column
	order *fileOrder
	turn  chan struct{}
	mine  bool // what is kept was written, and the turn is this column's

	kept  []keptPage
	bytes int64 // of what is kept
	close func() error

	then func() error // called when the column is in the file

	encoded bool // guarded by order.mu
}

// A keptPage is a page of data, or a dictionary.
type keptPage struct {
	data       *file.DataPageV1
	dictionary *file.DictionaryPage
}

// add puts a column behind those that are there.
func (o *fileOrder) add(to file.PageWriter, then func() error) *columnPages {
	p := &columnPages{PageWriter: to, order: o, turn: make(chan struct{}), then: then}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.columns = append(o.mu.columns, p); len(o.mu.columns) == 1 {
		close(p.turn)
	}
	return p
}

// WriteDataPage writes a page or keeps a copy of it.
func (p *columnPages) WriteDataPage(page file.DataPage) (int64, error) {
	v1, known := page.(*file.DataPageV1)
	size := int64(len(page.Data()))
	mine, err := p.myTurn(size, known)
	if err != nil {
		return 0, err
	}
	if mine {
		return p.PageWriter.WriteDataPage(page)
	}
	copied := file.NewDataPageV1WithConfig(memory.NewBufferBytes(bytes.Clone(page.Data())),
		v1.DefinitionLevelEncoding(), v1.RepetitionLevelEncoding(), file.DataPageConfig{
			Num: page.NumValues(), Encoding: parquet.Encoding(page.Encoding()), UncompressedSize: page.UncompressedSize(),
			Stats: page.Statistics(), FirstRowIndex: page.FirstRowIndex(),
		})
	p.kept = append(p.kept, keptPage{data: copied})
	return size, nil
}

// WriteDictionaryPage writes a dictionary or keeps a copy of it.
func (p *columnPages) WriteDictionaryPage(page *file.DictionaryPage) (int64, error) {
	size := int64(len(page.Data()))
	mine, err := p.myTurn(size, true)
	if err != nil {
		return 0, err
	}
	if mine {
		return p.PageWriter.WriteDictionaryPage(page)
	}
	copied := file.NewDictionaryPage(memory.NewBufferBytes(bytes.Clone(page.Data())), page.NumValues(), parquet.Encoding(page.Encoding()))
	p.kept = append(p.kept, keptPage{dictionary: copied})
	return size, nil
}

// Close is called by the encoder after the last page. What it does with the file has to wait.
func (p *columnPages) Close(hasDictionary, fellBack bool) error {
	p.close = func() error { return p.PageWriter.Close(hasDictionary, fellBack) }
	return nil
}

// myTurn returns whether a page is to be written. If it is not, there is room to keep it.
func (p *columnPages) myTurn(size int64, keepable bool) (bool, error) {
	select {
	case <-p.turn:
		return true, p.writeKept()
	default:
	}
	if keepable {
		if p.order.room.Add(-size) >= 0 {
			p.bytes += size
			return false, nil
		}
		p.order.room.Add(size)
	}
	if err := await(p.ctx, p.turn); err != nil {
		return false, err
	}
	return true, p.writeKept()
}

func (p *columnPages) writeKept() error {
	if p.mine {
		return nil
	}
	p.mine = true
	for _, page := range p.kept {
		var err error
		if page.dictionary != nil {
			_, err = p.PageWriter.WriteDictionaryPage(page.dictionary)
		} else {
			_, err = p.PageWriter.WriteDataPage(page.data)
		}
		if err != nil {
			return err
		}
	}
	p.order.room.Add(p.bytes)
	p.kept, p.bytes = nil, 0
	return nil
}

// done is called when a column is encoded. If it is the column's turn, it ends it in the file, and those
// behind it that are encoded, too. Otherwise whoever has the column before it does so.
func (p *columnPages) done() error {
	o := p.order
	o.mu.Lock()
	p.encoded = true
	first := o.mu.columns[0] == p
	o.mu.Unlock()
	for next := p; first; first = next != nil {
		if err := next.end(); err != nil {
			return err
		}
		next = o.next()
	}
	return nil
}

// next ends the turn of the first column. It returns the one behind it, if that is encoded.
func (o *fileOrder) next() *columnPages {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.columns[0] = nil
	if o.mu.columns = o.mu.columns[1:]; len(o.mu.columns) == 0 {
		return nil
	}
	p := o.mu.columns[0]
	close(p.turn)
	if !p.encoded {
		return nil
	}
	return p
}

// end writes what is left of a column.
func (p *columnPages) end() error {
	if err := p.writeKept(); err != nil {
		return err
	}
	if err := p.close(); err != nil {
		return err
	}
	return p.then()
}
