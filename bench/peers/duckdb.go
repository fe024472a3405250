package main

import (
	"context"
	"fmt"
	"strings"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// A duck is an in-memory database of DuckDB in this process, and one connection to it.
type duck struct {
	db   duckdb.Database
	conn duckdb.Connection
}

// openDuck opens a database with settings of DuckDB, each name=value.
func openDuck(settings ...string) (*duck, error) {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) != duckdb.StateSuccess {
		return nil, fmt.Errorf("DuckDB: no configuration")
	}
	defer duckdb.DestroyConfig(&config)
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if duckdb.SetConfig(config, name, value) != duckdb.StateSuccess {
			return nil, fmt.Errorf("DuckDB: setting %s is refused", setting)
		}
	}
	d := &duck{}
	var reason string
	if duckdb.OpenExt("", &d.db, config, &reason) != duckdb.StateSuccess {
		return nil, fmt.Errorf("DuckDB: %s", reason)
	}
	if duckdb.Connect(d.db, &d.conn) != duckdb.StateSuccess {
		duckdb.Close(&d.db)
		return nil, fmt.Errorf("DuckDB: no connection")
	}
	return d, nil
}

func (d *duck) close() {
	duckdb.Disconnect(&d.conn)
	duckdb.Close(&d.db)
}

func (d *duck) contender(sql string, ordered bool) contender {
	return contender{"DuckDB", func(context.Context) (answer, error) { return d.query(sql, ordered) }}
}

// query runs a query and digests its result as it streams. Collected first, the result would
// not be counted in DuckDB's limit; neither way is faster for all of the queries here.
func (d *duck) query(sql string, ordered bool) (answer, error) {
	var prepared duckdb.PreparedStatement
	defer duckdb.DestroyPrepare(&prepared)
	if duckdb.Prepare(d.conn, sql, &prepared) != duckdb.StateSuccess {
		return answer{}, fmt.Errorf("DuckDB: %s", duckdb.PrepareError(prepared))
	}
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(prepared, &pending) != duckdb.StateSuccess {
		return answer{}, fmt.Errorf("DuckDB: %s", duckdb.PendingError(pending))
	}
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.ExecutePending(pending, &result) != duckdb.StateSuccess {
		return answer{}, fmt.Errorf("DuckDB: %s", duckdb.ResultError(&result))
	}
	found := digest{ordered: ordered}
	for {
		chunk := duckdb.FetchChunk(result)
		if chunk.Ptr == nil {
			break
		}
		err := found.vectors(&result, chunk)
		duckdb.DestroyDataChunk(&chunk)
		if err != nil {
			return answer{}, err
		}
	}
	if reason := duckdb.ResultError(&result); reason != "" { // it failed while streaming
		return answer{}, fmt.Errorf("DuckDB: %s", reason)
	}
	return found.answer, nil
}

// vectors adds a chunk of a result.
func (d *digest) vectors(result *duckdb.Result, chunk duckdb.DataChunk) error {
	rows := int(duckdb.DataChunkGetSize(chunk))
	d.begin(rows)
	for i := range duckdb.ColumnCount(result) {
		vector := duckdb.DataChunkGetVector(chunk, i)
		data := duckdb.VectorGetData(vector)
		var valid validity
		if mask := duckdb.VectorGetValidity(vector); mask != nil {
			valid.bits = unsafe.Slice((*byte)(mask), (rows+7)/8) // words, least significant byte first
		}
		switch kind := duckdb.ColumnType(result, i); kind {
		case duckdb.TypeBigInt, duckdb.TypeTimestamp, duckdb.TypeTimestampTZ: // microseconds
			d.ints(unsafe.Slice((*int64)(data), rows), 1, valid)
		case duckdb.TypeDouble:
			d.floats(unsafe.Slice((*float64)(data), rows), valid)
		case duckdb.TypeVarchar:
			strings := unsafe.Slice((*duckString)(data), rows)
			d.texts(func(i int) []byte { return strings[i].bytes() }, valid)
		default:
			return fmt.Errorf("DuckDB: column %d is of type %v, which the digest does not know; cast it in the query", i, kind)
		}
	}
	d.end()
	return nil
}

// duckString is text as it is in a vector: up to 12 bytes in place, longer ones elsewhere,
// with their first four in front of the pointer. Its own accessors are a call to C each.
type duckString struct {
	length uint32
	inline [12]byte
}

func (s *duckString) bytes() []byte {
	if s.length <= uint32(len(s.inline)) {
		return s.inline[:s.length]
	}
	elsewhere := *(**byte)(unsafe.Pointer(&s.inline[4]))
	return unsafe.Slice(elsewhere, s.length)
}

// quoted is a text in SQL.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
