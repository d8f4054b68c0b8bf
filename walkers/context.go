package walkers

import (
	"bytes"
	"net/url"
	"reflect"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// input is what a caller sent for one context.
type input struct {
	json   []byte
	socket bool
	// What follows comes over HTTP alone.
	path  map[string]string
	query url.Values
	form  url.Values
	files map[string][]File
}

// contextPlan is the plan of a walker's context with the source of each field.
type contextPlan struct {
	*structPlan
	rules *rules
}

// decode fills the context, a zero struct, from what was sent, and validates
// it. The error is a *fault.Error that lists all that is wrong.
func (p *contextPlan) decode(into reflect.Value, in *input) error {
	d := newDecoding()
	defer d.free()
	seen := make([]bool, len(p.fields))
	if err := p.body(d, into, in, seen); err != nil {
		return err
	}
	if !in.socket {
		if err := p.besides(d, into, in, seen); err != nil {
			return d.broken(err)
		}
	}
	if err := p.missing(d, into, in, seen); err != nil {
		return d.broken(err)
	}
	if err := d.failure(); err != nil {
		return err
	}
	return p.rules.check(into)
}

// body reads the JSON object. Nothing and null are the empty object.
func (p *contextPlan) body(d *decoding, into reflect.Value, in *input, seen []bool) error {
	text := bytes.Trim(in.json, " \t\r\n")
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	if tooDeep(text) {
		return fault.Newf(fault.InvalidContext, "the context nests deeper than %d", maxDepth)
	}
	d.read(text, "")
	isObject := d.dec.PeekKind() == '{'
	if !isObject {
		if err := d.dec.SkipValue(); err != nil {
			return d.broken(err)
		}
	} else if err := p.members(d, into, seen, in); err != nil {
		return d.broken(err)
	}
	if err := d.end(); err != nil {
		return d.broken(err)
	}
	if !isObject {
		return fault.New(fault.InvalidContext, "the context must be an object")
	}
	return nil
}

// members reads an object into the fields that it names. Other names are
// passed over. in is nil but for the context itself.
func (p *structPlan) members(d *decoding, into reflect.Value, seen []bool, in *input) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		i, known := p.find(name)
		switch {
		case !known || in != nil && !in.takes(&p.fields[i]):
			err = d.dec.SkipValue()
		case p.fields[i].IsFile():
			seen[i], err = in.refuseFile(d)
		default:
			seen[i] = true
			err = p.fields[i].shape.decode(d, p.fields[i].in(into))
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// find looks up the field of a quoted name.
func (p *structPlan) find(quoted jsontext.Value) (i int, known bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		i, known = p.byName[string(quoted[1:len(quoted)-1])]
		return i, known
	}
	i, known = p.byName[unquote(quoted)]
	return i, known
}

// takes reports whether the field may come from the JSON object: over the
// socket all but the excluded ones may, over HTTP each has its one source.
func (in *input) takes(f *field) bool {
	switch f.Source {
	case specs.FromBody, specs.FromFile:
		return true
	case specs.FromQuery, specs.FromPath:
		return in.socket
	}
	return false
}

// refuseFile passes over JSON where a file belongs. null stands for no file.
func (in *input) refuseFile(d *decoding) (seen bool, err error) {
	if d.dec.PeekKind() == 'n' {
		return false, d.dec.SkipValue()
	}
	if in.socket {
		return true, d.refuse(reasonNoFiles)
	}
	return true, d.refuse(reasonFile)
}

// missing gives the fields that were not sent their defaults, and tells those
// that have none.
func (p *contextPlan) missing(d *decoding, into reflect.Value, in *input, seen []bool) error {
	for i := range p.fields {
		f := &p.fields[i]
		if seen[i] {
			continue
		}
		var err error
		switch {
		case f.Required && f.IsFile() && in.socket:
			err = d.noteAt(f.Name, reasonNoFiles)
		case f.Required:
			err = d.noteAt(f.Name, reasonRequired)
		default:
			err = f.setDefault(into)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeStruct reads a struct within the context.
func decodeStruct(p *structPlan) func(*decoding, reflect.Value) error {
	return func(d *decoding, into reflect.Value) error {
		if d.dec.PeekKind() != '{' {
			return d.refuse("expected object")
		}
		seen := make([]bool, len(p.fields))
		if err := p.members(d, into, seen, nil); err != nil {
			return err
		}
		for i := range p.fields {
			f := &p.fields[i]
			var err error
			switch {
			case seen[i]:
			case f.Required:
				err = d.noteAt(join(d.here(), f.Name), reasonRequired)
			default:
				err = f.setDefault(into)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// besides reads what HTTP sends beside the JSON object.
func (p *contextPlan) besides(d *decoding, into reflect.Value, in *input, seen []bool) error {
	for i := range p.fields {
		f := &p.fields[i]
		var texts []string
		switch f.Source {
		case specs.FromPath:
			if text, sent := in.path[f.Name]; sent {
				texts = []string{text}
			}
		case specs.FromQuery:
			texts = in.query[f.Name]
		case specs.FromBody:
			if !seen[i] {
				texts = in.form[f.Name]
			}
		case specs.FromFile:
			if err := f.takeFiles(d, into, in.files[f.Name], &seen[i]); err != nil {
				return err
			}
		}
		if len(texts) == 0 {
			continue
		}
		seen[i] = true
		if err := f.takeTexts(d, into, texts); err != nil {
			return err
		}
	}
	return nil
}

// takeTexts reads a field from text. It is told as JSON of the field's kind,
// where it can be, and as a string where it cannot: so what is wrong with it
// is found, and told, as in any other JSON.
func (f *field) takeTexts(d *decoding, into reflect.Value, texts []string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return d.noteAt(f.Name, "expected UTF-8")
		}
	}
	if f.Kind == specs.List {
		d.scratch = append(d.scratch[:0], '[')
		for i, text := range texts {
			if i > 0 {
				d.scratch = append(d.scratch, ',')
			}
			d.scratch = appendText(d.scratch, f.Item, text)
		}
		d.scratch = append(d.scratch, ']')
	} else {
		if len(texts) > 1 {
			return d.noteAt(f.Name, "expected one value")
		}
		d.scratch = appendText(d.scratch[:0], f.Kind, texts[0])
	}
	if tooDeep(d.scratch) {
		return d.noteAt(f.Name, "nested too deep")
	}
	d.read(d.scratch, f.Name)
	return f.shape.decode(d, f.in(into))
}

// appendText writes text as JSON of that kind where it can be read so, and
// else as a string. The text is valid UTF-8.
func appendText(b []byte, kind specs.Kind, text string) []byte {
	fits := false
	switch kind {
	case specs.Integer, specs.Number:
		fits = text != "" && (text[0] == '-' || isDigit(text[0])) && isDigit(text[len(text)-1]) && jsontext.Value(text).IsValid()
	case specs.Boolean:
		fits = text == "true" || text == "false"
	case specs.Object, specs.List, specs.Any:
		fits = jsontext.Value(text).IsValid()
	}
	if fits {
		return append(b, text...)
	}
	quoted, _ := jsontext.AppendQuote(b, text) // fails on invalid UTF-8 only
	return quoted
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
