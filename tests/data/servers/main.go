// A Go program that notes what it read: a server by net/http, or a CGI script (RFC 3875) when a web
// server runs it as one. Its lines are those of record.py.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

type pairs [][2]string

type call struct {
	Event     string  `json:"event"`
	Case      *string `json:"case"`
	Method    string  `json:"method"`
	Path      string  `json:"path"`
	Handler   *string `json:"handler"`
	Variables pairs   `json:"variables"`
}

type body struct {
	Event    string  `json:"event"`
	Case     *string `json:"case"`
	Bytes    int     `json:"bytes"`
	Rows     int     `json:"rows"`
	Trailers pairs   `json:"trailers"`
}

func note(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	file, err := os.OpenFile(os.Getenv("CALLS"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if _, err := file.Write(append(text, '\n')); err != nil {
		panic(err)
	}
}

// rows is any value in which rows may stand: a list, columns, or tensors of the V2 protocol.
type rows struct{ count int }

func (r *rows) UnmarshalJSON(text []byte) error {
	var list []struct{ Shape []int }
	if json.Unmarshal(text, &list) == nil {
		r.count = len(list)
		for _, item := range list {
			if len(item.Shape) > 0 && item.Shape[0] > r.count {
				r.count = item.Shape[0]
			}
		}
		return nil
	}
	var plain []json.RawMessage
	if json.Unmarshal(text, &plain) == nil {
		r.count = len(plain)
		return nil
	}
	var columns map[string]json.RawMessage
	if json.Unmarshal(text, &columns) != nil {
		return nil
	}
	for _, column := range columns {
		var list []json.RawMessage
		var cells map[string]json.RawMessage
		if json.Unmarshal(column, &list) == nil && len(list) > r.count {
			r.count = len(list)
		}
		if json.Unmarshal(column, &cells) == nil && len(cells) > r.count {
			r.count = len(cells)
		}
	}
	return nil
}

// document is filled as Go fills any structure: names match by any letter case.
type document struct {
	Data      rows `json:"data"`
	Inputs    rows `json:"inputs"`
	Instances rows `json:"instances"`
	Records   rows `json:"dataframe_records"`
	Split     struct {
		Data rows `json:"data"`
	} `json:"dataframe_split"`
	InputData struct {
		Data rows `json:"data"`
	} `json:"input_data"`
}

func count(content []byte, contentType string) int {
	if strings.HasPrefix(strings.ToLower(contentType), "text/csv") {
		reader := csv.NewReader(bytes.NewReader(content))
		reader.LazyQuotes, reader.FieldsPerRecord = true, -1
		records, _ := reader.ReadAll()
		if len(records) == 0 {
			return 0
		}
		return len(records) - 1
	}
	var d document
	if json.NewDecoder(bytes.NewReader(content)).Decode(&d) != nil {
		return 0
	}
	most := 0
	for _, r := range []rows{d.Data, d.Inputs, d.Instances, d.Records, d.Split.Data, d.InputData.Data} {
		if r.count > most {
			most = r.count
		}
	}
	return most
}

func flat(header http.Header) pairs {
	found := pairs{}
	for name, values := range header {
		for _, value := range values {
			found = append(found, [2]string{name, value})
		}
	}
	return found
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func answer(handler string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := optional(r.Header.Get("X-Case"))
		variables := append(flat(r.Header), [2]string{"host", r.Host})
		note(call{"call", name, r.Method, r.URL.Path, &handler, variables})
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		found := count(content, r.Header.Get("Content-Type"))
		note(body{"body", name, len(content), found, flat(r.Trailer)})
		w.Header().Set("content-type", "application/json")
		fmt.Fprintf(w, "{\"rows\":%d}", found)
	}
}

func cgi() {
	variables := pairs{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		variables = append(variables, [2]string{name, value})
	}
	name := optional(os.Getenv("HTTP_X_CASE"))
	note(call{"call", name, os.Getenv("REQUEST_METHOD"), os.Getenv("PATH_INFO"), nil, variables})
	var input io.Reader = os.Stdin
	if length, err := strconv.ParseInt(os.Getenv("CONTENT_LENGTH"), 10, 64); err == nil {
		input = io.LimitReader(os.Stdin, length)
	}
	content, err := io.ReadAll(input)
	if err != nil {
		return
	}
	found := count(content, os.Getenv("CONTENT_TYPE"))
	note(body{"body", name, len(content), found, pairs{}})
	reply := fmt.Sprintf("{\"rows\":%d}", found)
	fmt.Printf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
}

func main() {
	if os.Getenv("GATEWAY_INTERFACE") != "" {
		cgi()
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/admin", answer("admin"))
	mux.HandleFunc("/admin/", answer("admin"))
	mux.HandleFunc("/secret", answer("secret"))
	mux.HandleFunc("/score", answer("score"))
	mux.HandleFunc("/", answer("other"))
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux); err != nil {
		panic(err)
	}
}
