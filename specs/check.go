package specs

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const maxName = 128

// Fault is one thing that is wrong with a spec.
type Fault struct {
	// Walker is the walker's name as it was given.
	Walker string
	// Field is the field of the spec, or of the walker's context, at fault.
	Field   string
	Problem string
}

// Error tells the walker, the field and the problem.
func (f *Fault) Error() string {
	return fmt.Sprintf("walker %q: %s: %s", f.Walker, f.Field, f.Problem)
}

// Describe fills in what the spec leaves open, decides the source of each
// field, and checks both. The error joins one *Fault for each thing that is
// wrong.
func Describe(walker Walker, shape Shape) (Described, error) {
	c := &checker{described: Described{Walker: walker, Shape: shape}}
	c.described.Fields = slices.Clone(shape.Fields)
	c.name()
	c.methods()
	c.names("as_query", walker.AsQuery)
	c.names("excluded", walker.Excluded)
	pathVariables := c.path()
	c.sources(pathVariables)
	c.limits()
	return c.described, errors.Join(c.faults...)
}

// checker gathers the faults of one spec and fills it in.
type checker struct {
	described Described
	faults    []error
}

func (c *checker) fault(field, format string, args ...any) {
	c.faults = append(c.faults, &Fault{Walker: c.described.Name, Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (c *checker) name() {
	name := c.described.Name
	switch {
	case name == "" || len(name) > maxName:
		c.fault("name", "must have 1 to %d bytes", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("_-.", r) }):
		c.fault("name", "may hold letters, digits, _, - and . only")
	case strings.Trim(name, ".") == "":
		c.fault("name", "must not consist of dots")
	}
}

func (c *checker) methods() {
	given := c.described.Methods
	if len(given) == 0 {
		given = []Method{Post}
	}
	methods := make([]Method, 0, len(given))
	for _, text := range given {
		method, err := ParseMethod(string(text))
		if err != nil {
			c.fault("methods", "%v", err)
			continue
		}
		if !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	c.described.Methods = methods
}

// names checks a list of field names that may hold All.
func (c *checker) names(list string, names []string) {
	for _, name := range names {
		if name == All {
			continue
		}
		if _, known := c.described.Field(name); !known {
			c.fault(list, "names no field: %q", name)
		}
	}
}

// path checks the form of the path and gives its variables.
func (c *checker) path() []string {
	w := c.described.Walker
	if strings.HasPrefix(w.Path, "/") && collides(w.Path) {
		c.fault("path", "%q collides with the gateway's own routes", w.Path)
		return nil
	}
	names, err := variables(w.Path)
	if w.Path == "" {
		names, err = nil, nil
	}
	if err != nil {
		c.fault("path", "%v", err)
		return nil
	}
	for _, name := range names {
		if name == nodeVariable && w.EntryType != Root {
			c.fault("path", "variable {node} leaves no room for the node entry, which ends in /{node}")
		}
		if field, known := c.described.Field(name); !known {
			c.fault("path", "variable {%s} names no field", name)
		} else if !field.Kind.IsScalar() {
			c.fault("path", "variable {%s} names a field of kind %s", name, field.Kind)
		}
	}
	return names
}

// sources applies the first rule that fits to each field.
func (c *checker) sources(pathVariables []string) {
	d := &c.described
	named := func(names []string, name string) bool {
		return slices.Contains(names, name) || slices.Contains(names, All)
	}
	for i := range d.Fields {
		field := &d.Fields[i]
		inPath := slices.Contains(pathVariables, field.Name)
		switch {
		case named(d.Excluded, field.Name):
			field.Source = FromNowhere
			if field.Required {
				c.fault(field.Name, "is excluded and has no default")
			}
			if inPath {
				c.fault(field.Name, "is excluded and a variable of the path")
			}
		case field.IsFile():
			field.Source = FromFile
		case inPath:
			field.Source = FromPath
		case named(d.AsQuery, field.Name):
			field.Source = FromQuery
		default:
			field.Source = FromBody
		}
	}
}

func (c *checker) limits() {
	d := &c.described
	if d.StatusCode == 0 {
		d.StatusCode = http.StatusOK
	}
	if d.StatusCode < 200 || d.StatusCode > 299 {
		c.fault("status_code", "%d is not within 200 to 299", d.StatusCode)
	}
	if d.Auth > NoAuth {
		c.fault("auth", "unknown mode %d", d.Auth)
	}
	if d.EntryType > Node {
		c.fault("entry_type", "unknown type %d", d.EntryType)
	}
	if d.Timeout < 0 {
		c.fault("timeout", "must not be negative")
	}
	if d.Limits.Concurrent < 0 {
		c.fault("limits.concurrent", "must not be negative")
	}
	if d.Limits.ContextBytes < 0 {
		c.fault("limits.context_bytes", "must not be negative")
	}
	if err := reportable(d.Report); err != nil {
		c.fault("report", "%v", err)
	}
}

// Collisions finds what walkers do to one another: a name given twice, or two
// walkers at one method and path. The error joins one *Fault for each.
func Collisions(described []Described) error {
	var faults []error
	names := make(map[string]bool, len(described))
	owners := make(map[string]string)
	for _, d := range described {
		if names[d.Name] {
			faults = append(faults, &Fault{Walker: d.Name, Field: "name", Problem: "is registered twice"})
			continue
		}
		names[d.Name] = true
		for _, route := range d.Routes() {
			key := route.Method.HTTP() + " " + pattern(route.Path)
			owner, taken := owners[key]
			if taken && owner != d.Name {
				faults = append(faults, &Fault{
					Walker: d.Name, Field: "path",
					Problem: fmt.Sprintf("%s %s is also that of walker %q", route.Method.HTTP(), route.Path, owner),
				})
				continue
			}
			owners[key] = d.Name
		}
	}
	return errors.Join(faults...)
}
