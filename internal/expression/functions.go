package expression

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // what a provider signs with is its choice
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// maxFake bounds the template of fake().
const maxFake = 256

// runFunctions are the functions that depend on what is evaluated when.
func runFunctions(v Vars, m *meter) map[string]any {
	return map[string]any{
		"now":  func() time.Time { return v.Now },
		"fake": func(template string) (string, error) { return fake(v, template) },
		"hash": func(algorithm, text string) (string, error) {
			m.spend(len(text))
			return digest(algorithm, func(h func() hash.Hash) hash.Hash { return h() }, text)
		},
		"hmac": func(algorithm, key, text string) (string, error) {
			m.spend(len(key) + len(text))
			return digest(algorithm, func(h func() hash.Hash) hash.Hash { return hmac.New(h, []byte(key)) }, text)
		},
	}
}

func algorithms() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	}
}

// digest returns a hash of a text in hex.
func digest(algorithm string, begin func(func() hash.Hash) hash.Hash, text string) (string, error) {
	known := algorithms()
	algo, ok := known[strings.ReplaceAll(strings.ToLower(algorithm), "-", "")]
	if !ok {
		return "", fmt.Errorf("unknown algorithm %q; there are %s", algorithm, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	h := begin(algo)
	_, _ = h.Write([]byte(text)) // a hash never fails
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fake returns generated text: gofakeit's templates, whose functions with parameters are those that cannot make much.
func fake(v Vars, template string) (string, error) {
	if v.Fake == nil {
		return "", errors.New("fake() cannot be used here")
	}
	if len(template) > maxFake {
		return "", fmt.Errorf("the template of fake() has %d bytes; at most %d are allowed", len(template), maxFake)
	}
	if err := checkFake(template); err != nil {
		return "", err
	}
	return v.Fake.Generate(template), nil
}

func checkFake(template string) error {
	withParameters := regexp.MustCompile(`\{\s*([a-zA-Z0-9]+)\s*:([^}]*)`)
	for _, found := range withParameters.FindAllStringSubmatch(template, -1) {
		switch strings.ToLower(found[1]) {
		case "number", "price", "float32range", "float64range", "randomstring", "date", "year", "intrange", "uintrange":
		case "digitn", "lettern":
			if n, err := strconv.Atoi(strings.TrimSpace(found[2])); err != nil || n < 0 || n > 1000 {
				return fmt.Errorf("fake(): %s takes a number from 0 to 1000, not %q", found[1], found[2])
			}
		default:
			return fmt.Errorf("fake(): %s takes no parameters here; with parameters there are number, price, digitn, lettern, "+
				"float32range, float64range, intrange, uintrange, randomstring, date", found[1])
		}
	}
	return nil
}

// function is one that replaces the library's.
type function struct {
	call      func(args ...any) (any, error)
	signature any
}

// pureFunctions replace those of the library that can make something long of something short.
func pureFunctions() map[string]function {
	return map[string]function{
		"repeat":  {call: repeat, signature: strings.Repeat},
		"replace": {call: replace, signature: strings.ReplaceAll},
		"join":    {call: join, signature: func(any, ...string) string { return "" }},
		"toJSON":  {call: toJSON, signature: func(any) string { return "" }},
	}
}

var errLong = fmt.Errorf("a text would be longer than %d bytes", maxResult)

func repeat(args ...any) (any, error) {
	text, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("repeat: expected a text, got %s", describe(args[0]))
	}
	n, ok := whole(args[1])
	if !ok || n < 0 {
		return nil, fmt.Errorf("repeat: expected a whole number from 0, got %v", describe(args[1]))
	}
	if len(text) > 0 && n > maxResult/len(text) {
		return nil, errLong
	}
	return strings.Repeat(text, n), nil
}

func whole(value any) (int, bool) {
	switch n := value.(type) {
	case int:
		return n, true
	case float64:
		return int(n), n == float64(int(n))
	default:
		return 0, false
	}
}

func replace(args ...any) (any, error) {
	texts := make([]string, len(args))
	for i, arg := range args {
		text, ok := arg.(string)
		if !ok {
			return nil, fmt.Errorf("replace: expected three texts, got %s", describe(arg))
		}
		texts[i] = text
	}
	text, from, to := texts[0], texts[1], texts[2]
	if n := strings.Count(text, from); len(to) > 0 && n > maxResult/len(to) {
		return nil, errLong
	}
	return strings.ReplaceAll(text, from, to), nil
}

func join(args ...any) (any, error) {
	list, err := plain(args[0])
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	items, ok := list.([]any)
	if !ok {
		return nil, fmt.Errorf("join: expected a list, got %s", describe(list))
	}
	glue, err := glueOf(args)
	if err != nil {
		return nil, err
	}
	texts, size := make([]string, len(items)), 0
	for i, item := range items {
		if texts[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("join: expected a list of texts, got %s in it", describe(item))
		}
		if size += len(texts[i]) + len(glue); size > maxResult {
			return nil, errLong
		}
	}
	return strings.Join(texts, glue), nil
}

func glueOf(args []any) (string, error) {
	switch len(args) {
	case 1:
		return "", nil
	case 2:
		if glue, ok := args[1].(string); ok {
			return glue, nil
		}
	}
	return "", errors.New("join: expected a list and one text to put between")
}

// toJSON writes compact JSON with sorted members, as bodies are sent.
func toJSON(args ...any) (any, error) {
	value, err := plain(args[0])
	if err != nil {
		return nil, fmt.Errorf("toJSON: %w", err)
	}
	return jsonText(value)
}

func jsonText(value any) (string, error) {
	data, err := strictjson.Encode(written(value))
	if err != nil {
		return "", fmt.Errorf("toJSON: %w", err)
	}
	return string(data), nil
}
