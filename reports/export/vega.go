package export

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Schema is the version of Vega-Lite that specifications are written for.
const Schema = "https://vega.github.io/schema/vega-lite/v5.json"

type object = map[string]any

// safeName is what a figure's file may be called.
var safeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// Vega is a specification for each figure that has values. Its data are trials.csv,
// which is in the folder above; ratios and answers, which no row of that file has, are in
// the specification itself.
func Vega(a *analysis.Analysis) (out []File, err error) {
	for _, f := range a.Run.Manifest.Figures {
		var metrics []results.Metric
		for _, name := range f.Metrics {
			if m, ok := a.Metric(name); ok {
				metrics = append(metrics, m)
			}
		}
		if len(metrics) == 0 || !safeName.MatchString(f.Name) {
			continue
		}
		spec := drawing(a, f, metrics)
		if spec == nil {
			continue
		}
		spec["$schema"], spec["title"], spec["description"] = Schema, object{"text": f.Title, "anchor": "start"}, strings.TrimSpace(f.Title+". "+f.Caption)
		data, err := json.MarshalIndent(spec, "", "  ")
		if err != nil {
			return nil, err
		}
		out = append(out, File{Name: "plots/" + f.Name + ".vl.json", Data: append(data, '\n')})
	}
	return out, nil
}

// drawing is a figure's specification by its kind; nil for a kind that there isn't.
func drawing(a *analysis.Analysis, f results.Figure, metrics []results.Metric) object {
	switch f.Kind {
	case analysis.KindDistribution, analysis.KindPanels:
		return panels(metrics, func(m results.Metric) object { return rows(m, f.Log) })
	case analysis.KindSteps:
		return panels(metrics, func(m results.Metric) object { return rows(m, false) })
	case analysis.KindSlopes:
		return panels(metrics, slope)
	case analysis.KindPhases:
		return panels(metrics, parts)
	case analysis.KindRatios:
		return ratios(a, f, metrics)
	case analysis.KindMatrix:
		return matrix(a, f, metrics)
	}
	return nil
}

// panels are several specifications below one another, or the only one.
func panels(metrics []results.Metric, of func(results.Metric) object) object {
	var all []object
	for _, m := range metrics {
		all = append(all, of(m))
	}
	out := all[0]
	if len(all) > 1 {
		out = object{"vconcat": all}
	}
	out["data"] = object{"url": "../trials.csv", "format": object{"type": "csv", "parse": object{"value": "number", "n": "number", "seq": "number"}}}
	return out
}

// measured picks a metric's values of trials that count.
func measured(m results.Metric) []object {
	name, stat, _ := strings.Cut(m.Name, " ")
	return []object{{"filter": object{"field": "metric", "equal": name}}, {"filter": object{"field": "stat", "equal": stat}}, {"filter": "datum.part_of == ''"}, counts}
}

// counts leaves out warm-ups and what was made once more. A reader may take the words
// for truth values.
var counts = object{"filter": "toString(datum.warmup) == 'false' && toString(datum.repeated) != 'true' && isValid(datum.value)"}

func axisOf(field string, m results.Metric, log bool) object {
	x := object{"field": field, "type": "quantitative", "title": strings.TrimSpace(m.Title + " [" + m.Unit + "]"), "axis": object{"format": "~s"}}
	if log {
		x["scale"] = object{"type": "log"}
	}
	return x
}

// rows has a point for each trial, and a tick for each row's median.
func rows(m results.Metric, log bool) object {
	y := object{"field": "cell", "type": "nominal", "sort": nil, "title": nil}
	return object{"transform": measured(m), "layer": []object{
		{"mark": object{"type": "point", "opacity": 0.5, "tooltip": true}, "encoding": object{"x": axisOf("value", m, log), "y": y,
			"color": object{"field": "env", "type": "nominal", "title": "environment"}}},
		{"mark": object{"type": "tick", "thickness": 3, "size": 16, "color": "black"}, "encoding": object{"x": object{"field": "value", "aggregate": "median", "type": "quantitative"}, "y": y}},
	}}
}

// slope has a total against the number of instances.
func slope(m results.Metric) object {
	return object{"transform": measured(m), "mark": object{"type": "line", "point": true, "tooltip": true}, "encoding": object{
		"x":     object{"field": "n", "type": "quantitative", "title": "instances at a time"},
		"y":     object{"field": "value", "aggregate": "median", "type": "quantitative", "title": strings.TrimSpace(m.Title + " [" + m.Unit + "]")},
		"color": object{"field": "env", "type": "nominal", "title": "environment"}, "detail": object{"field": "cell"}}}
}

// parts has a bar of the medians of what a whole is made of.
func parts(m results.Metric) object {
	return object{"transform": []object{{"filter": object{"field": "part_of", "equal": m.Name}}, counts,
		{"aggregate": []object{{"op": "median", "field": "value", "as": "median"}, {"op": "min", "field": "seq", "as": "place"}}, "groupby": []string{"cell", "metric"}}},
		"mark": object{"type": "bar", "tooltip": true}, "encoding": object{"x": axisOf("median", m, false), "y": object{"field": "cell", "type": "nominal", "sort": nil, "title": nil},
			"color": object{"field": "metric", "type": "nominal", "title": "part"}, "order": object{"field": "place", "type": "quantitative"}}}
}

// ratios has each row's ratio to its baseline, with its interval.
func ratios(a *analysis.Analysis, f results.Figure, metrics []results.Metric) object {
	values := []object{}
	for _, m := range metrics {
		for _, c := range a.FigureCells(f) {
			base := a.FigureBase(f, c)
			if base == nil || c.NotRun != nil || c.TCG { // an emulated guest is compared with nothing
				continue
			}
			if k := a.Versus(c, base, m.Name); k != nil && k.Ratio != nil && k.Ratio.Lo > 0 {
				values = append(values, object{"metric": m.Title, "cell": c.Name.String(), "ratio": k.Ratio.Point, "lo": k.Ratio.Lo, "hi": k.Ratio.Hi})
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	log := object{"type": "log"}
	y := object{"field": "cell", "type": "nominal", "sort": nil, "title": nil}
	return object{"data": object{"values": values}, "facet": object{"row": object{"field": "metric", "type": "nominal", "sort": nil, "title": nil, "header": object{"labelAngle": 0, "labelAlign": "left"}}},
		"spec": object{"layer": []object{
			{"mark": object{"type": "rule", "strokeWidth": 3}, "encoding": object{"x": object{"field": "lo", "type": "quantitative", "scale": log, "title": "ratio to " + a.FigureBaseName(f).String()}, "x2": object{"field": "hi"}, "y": y}},
			{"mark": object{"type": "point", "shape": "diamond", "filled": true, "size": 80, "tooltip": true}, "encoding": object{"x": object{"field": "ratio", "type": "quantitative", "scale": log}, "y": y}},
		}}}
}

// matrix has a field for each question and row, with the answer in it.
func matrix(a *analysis.Analysis, f results.Figure, metrics []results.Metric) object {
	values := []object{}
	for _, m := range metrics {
		for _, c := range a.FigureCells(f) {
			if s := c.Samples[m.Name]; s != nil && c.NotRun == nil {
				word := m.Word(s.Median.Point)
				if word == "" {
					word = msg.Quantity(s.Median.Point, m.Unit)
				}
				values = append(values, object{"question": m.Title, "cell": c.Name.String(), "answer": word})
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	x, y := object{"field": "cell", "type": "nominal", "sort": nil, "title": nil}, object{"field": "question", "type": "nominal", "sort": nil, "title": nil, "axis": object{"labelLimit": 400}}
	return object{"data": object{"values": slices.Clip(values)}, "layer": []object{
		{"mark": "rect", "encoding": object{"x": x, "y": y, "color": object{"field": "answer", "type": "nominal"}}},
		{"mark": object{"type": "text", "fontSize": 10}, "encoding": object{"x": x, "y": y, "text": object{"field": "answer"}}},
	}}
}
