package msg

import (
	"strings"
	"testing"
)

func TestParticles(t *testing.T) {
	l, err := Parse("xx", "a(x): {x|은}/{x|이}/{x|을}/{x|과}/{x|으로}\n")
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{
		"시간": "시간은/시간이/시간을/시간과/시간으로", "커널": "커널은/커널이/커널을/커널과/커널로", "호스트": "호스트는/호스트가/호스트를/호스트와/호스트로",
		"host": "host는/host가/host를/host와/host로", "vm": "vm은/vm이/vm을/vm과/vm으로", "container net=bridge": "container net=bridge는/container net=bridge가/container net=bridge를/container net=bridge와/container net=bridge로",
		"uml": "uml은/uml이/uml을/uml과/uml로", "bwrap": "bwrap은/bwrap이/bwrap을/bwrap과/bwrap으로", "10": "10은/10이/10을/10과/10으로", "시드 7": "시드 7은/시드 7이/시드 7을/시드 7과/시드 7로",
		"95 %": "95 %는/95 %가/95 %를/95 %와/95 %로", "“시간”": "“시간”은/“시간”이/“시간”을/“시간”과/“시간”으로",
		"vm, TCG (에뮬레이션)": "vm, TCG (에뮬레이션)는/vm, TCG (에뮬레이션)가/vm, TCG (에뮬레이션)를/vm, TCG (에뮬레이션)와/vm, TCG (에뮬레이션)로", // as TCG is said
		"":                "는/가/를/와/로",
	} {
		if got := l.Text(T("a", word)); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// A text of others is found as it is, by its form, and in a list.
func TestOthersTexts(t *testing.T) {
	l, err := Parse("xx", "s(x): [{x}]\n\"a title\": 제목\n\"{name} isn't in {place}\": {place}에 {name|이} 없음\n\"a, b\": 가와 나\n\"c\": 다\n\"%d of %s\": %[2]s의 %[1]d\n\"two\\nlines\": 두\\n줄\n")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"a title": "제목", "another": "another", "c isn't in a title": "제목에 다가 없음", "a, b, c": "가와 나, 다", "c, a, b": "다, 가와 나", "c, x": "c, x",
		"isn't in": "isn't in", "two\nlines": "두\n줄", "": "",
	} {
		if got := l.Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := l.Text(T("s", Name(text))); got != "["+text+"]" {
			t.Errorf("a name became %q", got)
		}
		if l.Has(text) != (want != text || text == "") {
			t.Errorf("Has(%q) is %v", text, l.Has(text))
		}
	}
	if got := l.Sprintf("%d of %s", 2, "x"); got != "x의 2" {
		t.Error(got)
	}
	angry := Markup{Words: Plain.Words, Escape: strings.ToUpper}
	if got := l.Render("c isn't in x", angry); got != "X에 다가 없음" {
		t.Error(got)
	}
}

func TestWanted(t *testing.T) {
	for _, x := range []struct{ all, messages, lang, want string }{
		{"", "", "ko_KR.UTF-8", "ko"}, {"", "", "ko", "ko"}, {"C", "", "ko_KR.UTF-8", "en"}, {"", "ko_KR", "en_US.UTF-8", "ko"},
		{"", "", "", "en"}, {"", "", "kok_IN", "en"}, {"", "", "de_DE.UTF-8", "en"}, {"ko_KR.UTF-8", "C", "C", "ko"},
	} {
		t.Setenv("LC_ALL", x.all)
		t.Setenv("LC_MESSAGES", x.messages)
		t.Setenv("LANG", x.lang)
		if got := Wanted(); got != x.want {
			t.Errorf("%+v: %s", x, got)
		}
	}
}
