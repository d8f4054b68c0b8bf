package walkers

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"

	"github.com/walkergate/walkergate/specs"
)

// shape is how values of one Go type are decoded.
type shape struct {
	kind specs.Kind
	// item is the shape of a list's items or a map's values, target that of
	// what a pointer points to.
	item   *shape
	target *shape
	// decode reads one value into a zero one. An error ends the decoding:
	// what is wrong with the value itself is noted in d, and the rest is read
	// on.
	decode func(d *decoding, into reflect.Value) error
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	numberType      = reflect.TypeFor[json.Number]()
	timeType        = reflect.TypeFor[time.Time]()
)

// kinds gives what a field of that shape holds, and what its items do. It is
// of use once all shapes are planned.
func (s *shape) kinds() (kind, item specs.Kind) {
	if s.target != nil {
		s = s.target
	}
	if s.kind == specs.List {
		item, _ = s.item.kinds()
	}
	return s.kind, item
}

func decodesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(jsonUnmarshaler) || pointer.Implements(textUnmarshaler)
}

// shapeOf plans a type that stands at that place. Files may stand in the
// context itself only, which atTop tells.
func (p *planner) shapeOf(t reflect.Type, place string, atTop bool) *shape {
	if atTop {
		if files := fileShape(t); files != nil {
			return files
		}
	}
	if known := p.shapes[t]; known != nil {
		return known
	}
	s := &shape{kind: specs.Any}
	p.shapes[t] = s // before its parts are planned: a type may hold itself
	p.plan(s, t, place)
	return s
}

// fileShape is that of File, *File and []File. It decodes nothing: files come
// beside the JSON.
func fileShape(t reflect.Type) *shape {
	file := &shape{kind: specs.File}
	switch t {
	case fileType, reflect.PointerTo(fileType):
		return file
	case reflect.SliceOf(fileType):
		return &shape{kind: specs.List, item: file}
	}
	return nil
}

func (p *planner) plan(s *shape, t reflect.Type, place string) {
	pointer := reflect.PointerTo(t)
	switch {
	case t == fileType:
		p.fault(place, "a file may be a field of the context itself only, as File, *File or []File")
	case t == rawType:
		s.kind, s.decode = specs.Any, decodeRaw
	case t == numberType:
		s.kind, s.decode = specs.Number, decodeNumberText
	case t == timeType:
		s.kind, s.decode = specs.String, decodeTime
	case pointer.Implements(jsonUnmarshaler):
		s.kind, s.decode = specs.Any, decodeItself
	case pointer.Implements(textUnmarshaler):
		s.kind, s.decode = specs.String, decodeText
	default:
		p.planKind(s, t, place)
	}
}

func (p *planner) planKind(s *shape, t reflect.Type, place string) {
	switch t.Kind() {
	case reflect.Bool:
		s.kind, s.decode = specs.Boolean, decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.decode = specs.Integer, decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s.kind, s.decode = specs.Integer, decodeUint
	case reflect.Float32, reflect.Float64:
		s.kind, s.decode = specs.Number, decodeFloat
	case reflect.String:
		s.kind, s.decode = specs.String, decodeString
	case reflect.Struct:
		s.kind = specs.Object
		s.decode = decodeStruct(p.structPlan(t, place))
	case reflect.Pointer:
		p.planPointer(s, t, place)
	case reflect.Slice, reflect.Array:
		p.planList(s, t, place)
	case reflect.Map:
		p.planMap(s, t, place)
	case reflect.Interface:
		s.kind, s.decode = specs.Any, decodeAny
		if t.NumMethod() > 0 {
			p.fault(place, "%v cannot be decoded: only the empty interface can", t)
		}
	default:
		p.fault(place, "%v cannot be decoded", t)
	}
}

func (p *planner) planPointer(s *shape, t reflect.Type, place string) {
	if t.Elem().Kind() == reflect.Pointer {
		p.fault(place, "%v cannot be decoded: it points to a pointer", t)
		return
	}
	s.target = p.shapeOf(t.Elem(), place, false)
	s.decode = decodePointer(s.target)
}

func (p *planner) planList(s *shape, t reflect.Type, place string) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !decodesItself(t.Elem()) {
		s.kind, s.decode = specs.String, decodeBytes
		return
	}
	s.kind = specs.List
	s.item = p.shapeOf(t.Elem(), place+"[]", false)
	if t.Kind() == reflect.Array {
		s.decode = decodeArray(s.item)
		return
	}
	s.decode = decodeSlice(s.item)
}

func (p *planner) planMap(s *shape, t reflect.Type, place string) {
	s.kind = specs.Object
	if t.Key().Kind() != reflect.String || decodesItself(t.Key()) {
		p.fault(place, "a map must have plain string keys, not %v", t.Key())
	}
	s.item = p.shapeOf(t.Elem(), place+"[]", false)
	s.decode = decodeMap(s.item)
}
