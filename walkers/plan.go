package walkers

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/walkergate/walkergate/specs"
)

// structPlan is how one struct is decoded. It is built once, at registration,
// and never changes.
type structPlan struct {
	goType reflect.Type
	place  string
	fields []field
	byName map[string]int
}

// field is one field of a struct, or of a struct embedded in it.
type field struct {
	specs.Field
	shape *shape
	index []int
	tag   reflect.StructTag
	// fixed is the default where copying it is enough. Other defaults hold
	// slices, maps or pointers and are decoded anew for each run, so that no
	// two runs share one.
	fixed reflect.Value
}

// in gives the field's place. An embedded pointer on the way is filled.
func (f *field) in(v reflect.Value) reflect.Value {
	for i, at := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v
}

// planner builds the plans of one context and gathers what is wrong with it.
type planner struct {
	walker string
	shapes map[reflect.Type]*shape
	plans  []*structPlan
	faults []error
	// validated says that some field has a validate tag.
	validated bool
}

func (p *planner) fault(place, format string, args ...any) {
	p.faults = append(p.faults, &specs.Fault{
		Walker: p.walker, Field: cmp.Or(place, "context"), Problem: fmt.Sprintf(format, args...),
	})
}

// planContext plans a whole context. The plan is of use only where the planner
// found no fault.
func planContext(walker string, t reflect.Type) (*structPlan, *planner) {
	p := &planner{walker: walker, shapes: make(map[reflect.Type]*shape)}
	if t.Kind() != reflect.Struct {
		p.fault("", "must be a struct, not %v", t)
		return &structPlan{goType: t}, p
	}
	if decodesItself(t) {
		p.fault("", "%v decodes itself, or embeds what does", t)
		return &structPlan{goType: t}, p
	}
	plan := p.structPlan(t, "")
	for _, planned := range p.plans {
		planned.byName = make(map[string]int, len(planned.fields))
		for i := range planned.fields {
			f := &planned.fields[i]
			planned.byName[f.Name] = i
			f.Kind, f.Item = f.shape.kinds()
		}
	}
	// Defaults are decoded by the plans, which must be whole by then.
	if len(p.faults) == 0 {
		for _, planned := range p.plans {
			p.defaults(planned)
		}
	}
	return plan, p
}

// structs gives the fields of every struct that was planned.
func (p *planner) structs() map[reflect.Type][]specs.Field {
	structs := make(map[reflect.Type][]specs.Field, len(p.plans))
	for _, plan := range p.plans {
		structs[plan.goType] = plan.described()
	}
	return structs
}

func (p *structPlan) described() []specs.Field {
	fields := make([]specs.Field, len(p.fields))
	for i, f := range p.fields {
		fields[i] = f.Field
	}
	return fields
}

// structPlan plans a struct that stands at that place of the context; the
// context itself stands at "".
func (p *planner) structPlan(t reflect.Type, place string) *structPlan {
	plan := &structPlan{goType: t, place: place}
	p.plans = append(p.plans, plan)
	for _, found := range p.dominant(p.candidates(t, nil, nil, place), place) {
		f := field{index: found.index, tag: found.tag, shape: p.shapeOf(found.goType, join(place, found.name), place == "")}
		f.Name = found.name
		_, hasDefault := found.tag.Lookup("default")
		f.Required = !hasDefault && !found.omittable && found.goType.Kind() != reflect.Pointer
		if _, validates := found.tag.Lookup("validate"); validates {
			p.validated = true
		}
		plan.fields = append(plan.fields, f)
	}
	return plan
}

// candidate is a field that gives its name to JSON, unless another of that
// name lies less deep.
type candidate struct {
	name      string
	tagged    bool
	omittable bool
	index     []int
	goType    reflect.Type
	tag       reflect.StructTag
}

// candidates lists a struct's fields and those of what it embeds, by the rules
// of encoding/json. around holds the types that it is embedded in.
func (p *planner) candidates(t reflect.Type, index []int, around []reflect.Type, place string) []candidate {
	var found []candidate
	around = append(slices.Clip(around), t)
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		inner := sf.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		embedded := sf.Anonymous && inner.Kind() == reflect.Struct
		if tag == "-" || !sf.IsExported() && !embedded {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		at := append(slices.Clip(index), i)
		switch {
		case embedded && name == "" && inner == fileType:
			p.fault(join(place, sf.Name), "a file cannot be embedded")
		case embedded && name == "" && sf.Type.Kind() == reflect.Pointer && !sf.IsExported():
			p.fault(join(place, sf.Name), "an embedded pointer must be to an exported type")
		case embedded && name == "":
			if !slices.Contains(around, inner) {
				found = append(found, p.candidates(inner, at, around, place)...)
			}
		case sf.IsExported():
			c := candidate{name: cmp.Or(name, sf.Name), tagged: name != "", index: at, goType: sf.Type, tag: sf.Tag}
			c.omittable = p.omittable(options, join(place, c.name))
			found = append(found, c)
		}
	}
	return found
}

// omittable reads what follows the name in a json tag, and reports whether the
// field may be left out.
func (p *planner) omittable(options, place string) bool {
	found := false
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "omitempty", "omitzero":
			found = true
		default:
			p.fault(place, "option %q of its json tag is not supported", option)
		}
	}
	return found
}

// dominant picks, for each name, the field that lies least deep, and among
// equals the one whose name is tagged. Where encoding/json would drop several
// equals in silence, this is a fault.
func (p *planner) dominant(found []candidate, place string) []candidate {
	var order []string
	best := make(map[string][]candidate)
	for _, c := range found {
		rivals, known := best[c.name]
		if !known {
			order = append(order, c.name)
		}
		switch {
		case !known || outranks(c, rivals[0]):
			best[c.name] = []candidate{c}
		case !outranks(rivals[0], c):
			best[c.name] = append(rivals, c)
		}
	}
	fields := make([]candidate, 0, len(order))
	for _, name := range order {
		if len(best[name]) > 1 {
			p.fault(join(place, name), "several fields have this name")
		}
		fields = append(fields, best[name][0])
	}
	return fields
}

func outranks(a, b candidate) bool {
	if len(a.index) != len(b.index) {
		return len(a.index) < len(b.index)
	}
	return a.tagged && !b.tagged
}

// join makes the dotted path of a field of an object.
func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}
