package clean

import "reflect"

// Strings is v with all its texts changed by f: fields, elements, keys and values,
// however deep. v itself stays as it is.
func Strings[T any](v T, f func(string) string) T {
	out, changed := change(reflect.ValueOf(&v).Elem(), f)
	if !changed {
		return v
	}
	return out.Interface().(T)
}

// change returns a changed copy of v, or v where there is nothing to change.
func change(v reflect.Value, f func(string) string) (reflect.Value, bool) {
	out, changed := v, false
	// own makes out a copy that can be set.
	own := func() {
		if !changed {
			changed = true
			out = reflect.New(v.Type()).Elem()
			out.Set(v)
		}
	}
	switch v.Kind() {
	case reflect.String:
		if s := f(v.String()); s != v.String() {
			own()
			out.SetString(s)
		}
	case reflect.Pointer:
		if v.IsNil() {
			break
		}
		if x, ok := change(v.Elem(), f); ok {
			own()
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(x)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if x, ok := change(v.Field(i), f); ok {
				own()
				out.Field(i).Set(x)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			x, ok := change(v.Index(i), f)
			if ok && !changed {
				own()
				out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
				reflect.Copy(out, v)
			}
			if ok {
				out.Index(i).Set(x)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			nk, kok := change(k, f)
			nv, vok := change(v.MapIndex(k), f)
			if (kok || vok) && !changed {
				own()
				out.Set(reflect.MakeMap(v.Type()))
				for _, k := range v.MapKeys() {
					out.SetMapIndex(k, v.MapIndex(k))
				}
			}
			if kok || vok {
				out.SetMapIndex(k, reflect.Value{})
				out.SetMapIndex(nk, nv)
			}
		}
	case reflect.Interface:
		if v.IsNil() {
			break
		}
		if x, ok := change(v.Elem(), f); ok {
			own()
			out.Set(x)
		}
	}
	return out, changed
}
