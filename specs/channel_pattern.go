package specs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxPattern bounds a pattern, in bytes: that of the ids it stands for.
	maxPattern = 256
	// ownChannels begins the ids that are the gateway's own.
	ownChannels = "$"
)

// Pattern is the pattern of a Channel, taken apart. It never changes.
type Pattern struct {
	text string
	// prefix is what stands in front of the first variable.
	prefix    string
	variables []patternVariable
	literals  int // bytes of the pattern that are no variable
}

// patternVariable is one variable and the literal bytes behind it, of which
// there are none only at the end.
type patternVariable struct {
	name   string
	open   bool // {name...}: takes ":" too
	behind string
}

// ParsePattern takes a pattern apart. The error joins one for each thing that
// is wrong with it.
func ParsePattern(text string) (Pattern, error) {
	p, faults := parsePattern(text)
	return p, errors.Join(faults...)
}

func parsePattern(text string) (p Pattern, faults []error) {
	p.text = text
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case text == "" || len(text) > maxPattern:
		fault("must have 1 to %d bytes", maxPattern)
		return p, faults
	case !utf8.ValidString(text):
		fault("is not UTF-8")
	case strings.HasPrefix(text, ownChannels):
		fault("begins with %s, as the gateway's own channels do", ownChannels)
	}
	for rest := text; ; {
		literal, braced := cutBrace(rest)
		p.literal(literal)
		if braced == "" {
			return p, faults
		}
		rest = rest[len(literal)+len(braced):]
		name, open, ok := braceName(braced)
		switch {
		case !ok:
			fault("%q is malformed: a variable is {name}, or {name...}, of letters, digits and _", braced)
		case slices.ContainsFunc(p.variables, func(v patternVariable) bool { return v.name == name }):
			fault("variable {%s} stands twice", name)
		case open && rest != "":
			fault("%s may stand at the end only", braced)
		case literal == "" && len(p.variables) > 0:
			fault("%s follows another variable with nothing between", braced)
		}
		p.variables = append(p.variables, patternVariable{name: name, open: open})
	}
}

// cutBrace gives what stands in front of the first brace, and from there what
// should be a variable.
func cutBrace(text string) (literal, braced string) {
	at := strings.IndexAny(text, "{}")
	if at < 0 {
		return text, ""
	}
	end := strings.IndexByte(text[at:], '}')
	if end < 0 {
		return text[:at], text[at:]
	}
	return text[:at], text[at : at+end+1]
}

func braceName(braced string) (name string, open, ok bool) {
	name, closed := strings.CutSuffix(braced, "}")
	name, open = strings.CutSuffix(name, "...")
	name, ok = variableName(name + "}")
	return name, open, ok && closed
}

func (p *Pattern) literal(text string) {
	p.literals += len(text)
	if last := len(p.variables) - 1; last >= 0 {
		p.variables[last].behind = text
	} else {
		p.prefix = text
	}
}

// String is the pattern as it was given.
func (p Pattern) String() string { return p.text }

// Matches reports whether the pattern stands for a channel id. It takes time
// in proportion to the id, and allocates nothing.
func (p Pattern) Matches(channelID string) bool { return p.match(channelID, nil) }

// Match reports whether the pattern stands for a channel id, and what its
// variables stand for; a nil map where it has none. Where the id could be read
// in several ways, each variable but the last is as short as it can be.
func (p Pattern) Match(channelID string) (variables map[string]string, ok bool) {
	if !p.match(channelID, nil) {
		return nil, false
	}
	if len(p.variables) == 0 {
		return nil, true
	}
	variables = make(map[string]string, len(p.variables))
	p.match(channelID, variables)
	return variables, true
}

// match notes what the variables stand for where it is given a map.
//
// The shortest text for each variable is enough, and nothing has to be tried
// again: if a later place for the literal behind it leads to a match, so does
// the first. What lies between the two then belongs to the next variable, and
// holds no ":", for the one before would have had to take it too.
func (p Pattern) match(id string, into map[string]string) bool {
	rest, ok := strings.CutPrefix(id, p.prefix)
	if !ok {
		return false
	}
	for i := range p.variables {
		v := &p.variables[i]
		size, ok := v.size(rest, i == len(p.variables)-1)
		if !ok || !v.open && strings.IndexByte(rest[:size], ':') >= 0 {
			return false
		}
		if into != nil {
			into[v.name] = rest[:size]
		}
		rest = rest[size+len(v.behind):]
	}
	return rest == ""
}

// size is how many bytes of the rest the variable stands for, at least one.
func (v *patternVariable) size(rest string, last bool) (size int, ok bool) {
	if last {
		size = len(rest) - len(v.behind)
		return size, size > 0 && strings.HasSuffix(rest, v.behind)
	}
	if rest == "" {
		return 0, false
	}
	at := strings.Index(rest[1:], v.behind)
	return at + 1, at >= 0
}

// Compare orders patterns as they are asked: the first that matches an id is
// the id's. It is the one with more literal bytes in front of the first
// variable (all of them, where there is none), then with more literal bytes in
// all, then without {name...}, then the one that comes first as text.
func (p Pattern) Compare(other Pattern) int {
	return cmp.Or(
		cmp.Compare(len(other.prefix), len(p.prefix)),
		cmp.Compare(other.literals, p.literals),
		cmp.Compare(p.openEnds(), other.openEnds()),
		strings.Compare(p.text, other.text),
	)
}

func (p Pattern) openEnds() int {
	if last := len(p.variables) - 1; last >= 0 && p.variables[last].open {
		return 1
	}
	return 0
}

// shape is the pattern without the names of its variables: two patterns of one
// shape match the same ids.
func (p Pattern) shape() string {
	var shape strings.Builder
	shape.WriteString(p.prefix)
	for _, v := range p.variables {
		shape.WriteString("{")
		if v.open {
			shape.WriteString("...")
		}
		shape.WriteString("}")
		shape.WriteString(v.behind)
	}
	return shape.String()
}
