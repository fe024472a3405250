// Package ptx reads from the text of PTX which kernels it has and what they take. It looks at
// nothing else: whether the text is right is for the driver's compiler to say.
package ptx

import (
	"bytes"
	"strconv"
	"strings"
)

// A Kernel is a function that can be launched.
type Kernel struct {
	Name   string
	Params []Param
	Known  bool // whether the parameters were understood; else there are none here
}

// A Param is a parameter of a kernel.
type Param struct {
	Bytes int
	Kind  Kind
}

// Kind is what a parameter is declared as.
type Kind uint8

// The kinds. What a compiler of C++ makes of a class is bits, and so may be anything else.
const (
	Bits Kind = iota
	Integer
	Float
)

// types are those a parameter can have, without the number of bits.
var types = map[string]Kind{".b": Bits, ".u": Integer, ".s": Integer, ".f": Float}

// Kernels returns the kernels in the order of the text. Of a cubin, or anything else that is
// not text, it returns none.
func Kernels(image []byte) []Kernel {
	if !bytes.Contains(image, []byte(".entry")) || bytes.HasPrefix(image, []byte("\x7fELF")) {
		return nil
	}
	words := split(string(image))
	var all []Kernel
	for i, w := range words {
		if w == ".entry" && i+1 < len(words) {
			k := Kernel{Name: words[i+1]}
			k.Params, k.Known = params(words[i+2:])
			all = append(all, k)
		}
	}
	return all
}

// split takes comments out and returns the words; punctuation marks are words, too.
func split(text string) []string {
	var clean strings.Builder
	for text != "" {
		line, block := strings.Index(text, "//"), strings.Index(text, "/*")
		at, end := line, "\n"
		if line < 0 || block >= 0 && block < line {
			at, end = block, "*/"
		}
		if at < 0 {
			clean.WriteString(text)
			break
		}
		clean.WriteString(text[:at])
		clean.WriteByte(' ')
		_, text, _ = strings.Cut(text[at+2:], end)
	}
	return strings.Fields(marks.Replace(clean.String()))
}

var marks = strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ", "[", " [ ", "]", " ] ", "{", " { ", ";", " ; ")

// params reads the parameters from what follows the name of a kernel.
func params(words []string) ([]Param, bool) {
	if len(words) == 0 || words[0] != "(" {
		return nil, true
	}
	var all []Param
	var one []string
	for _, w := range words[1:] {
		switch w {
		case ",", ")":
			if w == ")" && len(one) == 0 && len(all) == 0 {
				return nil, true
			}
			p, ok := param(one)
			if !ok {
				return nil, false
			}
			all, one = append(all, p), nil
			if w == ")" {
				return all, true
			}
		default:
			one = append(one, w)
		}
	}
	return nil, false
}

// param reads one parameter, such as
//
//	.param .u64 .ptr .global .align 4 name
//	.param .align 8 .b8 name[24]
func param(words []string) (p Param, ok bool) {
	count := 1
	for i, w := range words {
		if w == "[" && i+1 < len(words) {
			n, err := strconv.Atoi(words[i+1])
			if err != nil || n < 0 || n > 1<<16 { // more than any kernel can take
				return p, false
			}
			count = n
		}
		if len(w) < 3 {
			continue
		}
		kind, is := types[w[:2]]
		bits, err := strconv.Atoi(w[2:])
		if is && err == nil && bits > 0 && bits <= 128 && bits%8 == 0 && p.Bytes == 0 {
			p = Param{Bytes: bits / 8, Kind: kind}
		}
	}
	p.Bytes *= count
	return p, p.Bytes > 0
}
