package clean

import "reflect"

// Strings is v with all its texts changed by f: fields, elements, keys and values,
// however deep. v itself stays as it is.
func Strings[T any](v T, f func(string) string) T {
	return change(reflect.ValueOf(&v).Elem(), f).Interface().(T)
}

// change returns a copy of v with its texts changed.
func change(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch k := v.Kind(); {
	case k == reflect.String:
		out.SetString(f(v.String()))
	case k == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(change(v.Field(i), f))
			}
		}
	case k != reflect.Pointer && k != reflect.Interface && k != reflect.Slice && k != reflect.Map || v.IsNil():
	case k == reflect.Pointer:
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(change(v.Elem(), f))
	case k == reflect.Interface:
		out.Set(change(v.Elem(), f))
	case k == reflect.Slice && hasText(v.Type().Elem().Kind()):
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(change(v.Index(i), f))
		}
	case k == reflect.Map:
		out.Set(reflect.MakeMap(v.Type()))
		for _, key := range v.MapKeys() {
			out.SetMapIndex(change(key, f), change(v.MapIndex(key), f))
		}
	}
	return out
}

// hasText says whether there may be texts in a value of a kind: in long lists of
// numbers none is looked for.
func hasText(k reflect.Kind) bool {
	return k == reflect.String || k == reflect.Struct || k == reflect.Pointer || k == reflect.Interface || k == reflect.Slice || k == reflect.Map
}
