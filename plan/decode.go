package plan

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A decoder fills Go values from the tree, strictly: what does not fit is
// reported, with what was expected, and nothing is ignored.
//
// A mapping fills a struct, whose fields say so by tags:
//
//	Files []At[string] `job:"files,required" doc:"files to read"`
//	Limit int          `job:"limit,min=0" doc:"most rows to keep"`
//
// The tag also lists other names that people may try for a setting, for the error that says what it
// is called.
//
// With the option null, the word null is a value; otherwise it says that there is none.
//
// A field is a string, a bool, an integer, a float64, anything with
// UnmarshalText, a slice of these (one value stands for a list of one),
// [At] or [Mapping] of these.
type decoder struct {
	report   func(at Position, err error)
	failures int
}

func (d *decoder) fail(at Position, err error) {
	d.failures++
	d.report(at, err)
}

// selfDecoding is implemented by At and Mapping, which keep positions.
type selfDecoding interface {
	decode(d *decoder, v *value, setting string)
}

// At is a setting that remembers where the job has it, so that an error found
// later, when it turns out to name no column, say, can point there.
type At[T any] struct {
	Value    T
	Position Position
	origin   origin
}

func (a *At[T]) decode(d *decoder, v *value, setting string) {
	a.Position, a.origin = v.at, v.origin
	d.decode(v, reflect.ValueOf(&a.Value).Elem(), setting)
}

// Wrong returns err as an error at the setting, nil for nil. A step returns it
// from Schema.
func (a At[T]) Wrong(err error) error { return a.wrongIn(0, err) }

// wrongIn is Wrong for what begins after offset characters of a setting's text.
func (a At[T]) wrongIn(offset int, err error) error {
	if err == nil {
		return nil
	}
	return &wrongAt{a.positionOf(offset), err}
}

// positionOf returns where a character of a setting's text stands, or else the setting.
func (a At[T]) positionOf(offset int) Position {
	if at, known := a.origin.position(offset); known {
		return at
	}
	return a.Position
}

// wrongAt is an error with its place in the job, on its way to a JobError.
type wrongAt struct {
	at  Position
	err error
}

func (e *wrongAt) Error() string { return e.err.Error() }
func (e *wrongAt) Unwrap() error { return e.err }

// Mapping is a setting that gives names to values, in the order of the job.
type Mapping[T any] []struct {
	Name  At[string]
	Value At[T]
}

func (m *Mapping[T]) decode(d *decoder, v *value, setting string) {
	if v.shape != mapping {
		d.expected(v, setting, "a mapping of names to values")
		return
	}
	*m = make(Mapping[T], len(v.entries))
	for i, e := range v.entries {
		if e.key == "" {
			d.fail(e.at, fmt.Errorf("%s: a name is empty", setting))
		}
		(*m)[i].Name = At[string]{Value: e.key, Position: e.at}
		(*m)[i].Value.decode(d, e.value, setting+"."+e.key)
	}
}

// decode fills one setting. Of what it cannot fill it reports one error.
func (d *decoder) decode(v *value, into reflect.Value, setting string) {
	if v.shape == unknown {
		return
	}
	switch target := into.Addr().Interface().(type) {
	case selfDecoding:
		target.decode(d, v, setting)
		return
	case encoding.TextUnmarshaler:
		if !v.scalar() {
			d.expected(v, setting, "a single value")
			return
		}
		if err := target.UnmarshalText([]byte(v.text)); err != nil {
			d.unreadable(v, setting, err)
		}
		return
	}
	switch into.Kind() {
	case reflect.String:
		if !v.scalar() {
			d.expected(v, setting, "a text")
			return
		}
		into.SetString(v.text)
	case reflect.Bool:
		if v.shape != boolean {
			d.expected(v, setting, "true or false")
			return
		}
		into.SetBool(strings.EqualFold(v.text, "true"))
	case reflect.Int, reflect.Int64:
		n, err := wholeNumber(v)
		if err != nil || into.OverflowInt(n) {
			d.expected(v, setting, "a whole number")
			return
		}
		into.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
		if v.shape != integer && v.shape != decimal || err != nil {
			d.expected(v, setting, "a number")
			return
		}
		into.SetFloat(f)
	case reflect.Slice:
		d.list(v, into, setting)
	default:
		panic(fmt.Sprintf("plan: a setting cannot be of type %v", into.Type()))
	}
}

func (d *decoder) list(v *value, into reflect.Value, setting string) {
	items := v.items
	switch {
	case v.shape == mapping:
		d.expected(v, setting, "a value or a list of values")
		return
	case v.shape != list:
		items = []*value{v}
	}
	filled := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		d.decode(item, filled.Index(i), setting)
	}
	into.Set(filled)
}

func (d *decoder) expected(v *value, setting, what string) {
	d.fail(v.at, fmt.Errorf("%s: expected %s, got %v", setting, what, v))
}

// unreadable reports an error of UnmarshalText, at the character it is about
// if the error and the file let us know.
func (d *decoder) unreadable(v *value, setting string, err error) {
	at := v.at
	var phrase *phraseError
	if errors.As(err, &phrase) {
		if in, known := v.origin.position(phrase.offset); known {
			at = in
		}
	}
	if v.parameter != "" {
		err = fmt.Errorf("%w (parameter %q)", err, v.parameter)
	}
	d.fail(at, fmt.Errorf("%s: %w", setting, err))
}

func wholeNumber(v *value) (int64, error) {
	if v.shape != integer {
		return 0, errors.New("not a whole number")
	}
	return strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
}

// A field is a struct field that a setting fills.
type field struct {
	name     string
	doc      string
	also     []string // what people may take its name to be
	required bool
	null     bool // the word null is a value, and does not say that there is none
	min      *int64
	into     reflect.Value
}

// fieldsOf lists the fields of the struct that settings points to, and those of
// structs embedded in it.
func fieldsOf(settings any) []field { return structFields(reflect.ValueOf(settings).Elem()) }

func structFields(target reflect.Value) []field {
	var fields []field
	for i := range target.NumField() {
		if t := target.Type().Field(i); t.Anonymous && t.Type.Kind() == reflect.Struct {
			fields = append(fields, structFields(target.Field(i))...)
			continue
		}
		tag, ok := target.Type().Field(i).Tag.Lookup("job")
		if !ok {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		f := field{name: name, doc: target.Type().Field(i).Tag.Get("doc"), into: target.Field(i)}
		f.also = strings.Fields(target.Type().Field(i).Tag.Get("also"))
		for option := range strings.SplitSeq(options, ",") {
			key, argument, _ := strings.Cut(option, "=")
			switch key {
			case "":
			case "required":
				f.required = true
			case "null":
				f.null = true
			case "min":
				n, err := strconv.ParseInt(argument, 10, 64)
				if err != nil {
					panic(fmt.Sprintf("plan: setting %q: %v", name, err))
				}
				f.min = &n
			default:
				panic(fmt.Sprintf("plan: setting %q has an unknown option %q", name, key))
			}
		}
		fields = append(fields, f)
	}
	return fields
}

// settings fills the struct that target points to from the entries of a
// mapping at a place. Whose it is ends the error about an unknown key.
func (d *decoder) settings(at Position, entries []entry, target any, whose string) {
	fields := fieldsOf(target)
	found := make(map[string]*value, len(entries))
	misnamed := make(map[string]bool) // settings that are there by another name: one mistake is one error
	for _, e := range entries {
		found[e.key] = e.value
		misnamed[nearest(e.key, fields)] = true
	}
	for _, f := range fields {
		v := found[f.name]
		if f.null && v != nil && v.shape == nothing && v.text == "null" {
			word := *v
			word.shape = text
			v = &word
		}
		switch {
		case v.given() && (!f.required || !v.empty()):
			before := d.failures
			d.decode(v, f.into, f.name)
			if f.min != nil && d.failures == before && v.shape != unknown && f.into.Int() < *f.min {
				d.expected(v, f.name, fmt.Sprintf("%d or more", *f.min))
			}
		case f.required && v != nil:
			d.fail(v.at, fmt.Errorf("setting %q is empty: expected %s", f.name, f.doc))
		case f.required && !misnamed[f.name]:
			d.fail(at, fmt.Errorf("setting %q is missing: %s", f.name, f.doc))
		}
		delete(found, f.name)
	}
	for _, e := range entries {
		if found[e.key] != nil {
			d.fail(e.at, fmt.Errorf("unknown setting %q of %s%s", shorten(e.key), whose, meant(e.key, fields)))
		}
	}
}

// meant ends an error about an unknown setting with the one that was probably meant.
func meant(key string, fields []field) string {
	if name := nearest(key, fields); name != "" {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	return instead(key, namesOf(fields))
}

// nearest is the setting that is called nearly so, or so elsewhere; "" if there is none, or if it is one.
func nearest(key string, fields []field) string {
	names := namesOf(fields)
	if utf8.RuneCountInString(key) > longestName || slices.Contains(names, key) {
		return ""
	}
	for _, f := range fields {
		if slices.Contains(f.also, strings.ToLower(key)) {
			return f.name
		}
	}
	near, _ := suggest.Nearest(key, names)
	return near
}

func namesOf(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}
