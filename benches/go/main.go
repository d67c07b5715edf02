// A plain HTTP client that `cargo scale` runs beside the handler: it sends the
// requests of a recorded sweep, with the same tokens, through the same proxy,
// to the same hosts, as many at a time, and reads every body to its end. With
// -decode it also decodes those that are JSON. It judges nothing, so it costs
// what Go's standard library costs for the sending and reading alone. It prints
// what that was as one object of JSON.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type request struct {
	Token  int    `json:"token"`
	URL    string `json:"url"`
	Accept string `json:"accept"`
}

type visit struct {
	Requests []request `json:"requests"`
}

type options struct {
	requests     string
	proxy        string
	ca           string
	workspaces   int
	perWorkspace int
	parallel     int
	decode       bool
}

func main() {
	var chosen options
	flag.StringVar(&chosen.requests, "requests", "", "file with the recorded requests")
	flag.StringVar(&chosen.proxy, "proxy", "", "URL of the CONNECT proxy")
	flag.StringVar(&chosen.ca, "ca", "", "PEM file with the authority to trust")
	flag.IntVar(&chosen.workspaces, "workspaces", 32, "workspaces at a time")
	flag.IntVar(&chosen.perWorkspace, "per-workspace", 4, "requests to one workspace at a time")
	flag.IntVar(&chosen.parallel, "parallel", 64, "requests at a time in all")
	flag.BoolVar(&chosen.decode, "decode", false, "decode the bodies that are JSON")
	flag.Parse()
	if err := run(chosen); err != nil {
		fmt.Fprintln(os.Stderr, "plain client:", err)
		os.Exit(1)
	}
}

func run(chosen options) error {
	tokens, visits, err := read(chosen.requests)
	if err != nil {
		return err
	}
	client, err := newClient(chosen)
	if err != nil {
		return err
	}
	var sent, failed uint64
	overall := make(chan struct{}, chosen.parallel)
	send := func(one request) {
		overall <- struct{}{}
		defer func() { <-overall }()
		atomic.AddUint64(&sent, 1)
		if err := exchange(client, one, tokens[one.Token], chosen.decode); err != nil {
			if atomic.AddUint64(&failed, 1) == 1 {
				fmt.Fprintln(os.Stderr, "plain client:", err)
			}
		}
	}
	before := cpu()
	began := time.Now()
	each(chosen.workspaces, visits, func(one visit) {
		each(chosen.perWorkspace, one.Requests, send)
	})
	wall := time.Since(began)
	spent := cpu() - before
	return json.NewEncoder(os.Stdout).Encode(map[string]uint64{
		"requests": sent,
		"failed":   failed,
		"wall_us":  uint64(wall.Microseconds()),
		"cpu_us":   uint64(spent.Microseconds()),
		"peak_kib": peak(),
	})
}

// read gives the tokens and, workspace by workspace, the requests.
func read(path string) ([]string, []visit, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	decoder := json.NewDecoder(bufio.NewReader(file))
	var head struct {
		Tokens []string `json:"tokens"`
	}
	if err := decoder.Decode(&head); err != nil {
		return nil, nil, err
	}
	var visits []visit
	for {
		var one visit
		err := decoder.Decode(&one)
		if err == io.EOF {
			return head.Tokens, visits, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for _, each := range one.Requests {
			if each.Token >= len(head.Tokens) {
				return nil, nil, fmt.Errorf("no token %d for %s", each.Token, each.URL)
			}
		}
		visits = append(visits, one)
	}
}

func newClient(chosen options) (*http.Client, error) {
	pem, err := os.ReadFile(chosen.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", chosen.ca)
	}
	proxy, err := url.Parse(chosen.proxy)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(proxy),
		TLSClientConfig: &tls.Config{RootCAs: roots},
		// Enough that no connection is closed between two requests of a workspace or of
		// the machines' host, and no more than are of use.
		MaxIdleConns:        4 * chosen.parallel,
		MaxIdleConnsPerHost: chosen.parallel,
		DisableCompression:  true,
	}
	return &http.Client{
		Transport: transport,
		Timeout:   time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}, nil
}

func exchange(client *http.Client, one request, token string, decode bool) error {
	message, err := http.NewRequestWithContext(context.Background(), http.MethodGet, one.URL, nil)
	if err != nil {
		return err
	}
	message.Header.Set("Authorization", "Bearer "+token)
	message.Header.Set("Accept", one.Accept)
	answer, err := client.Do(message)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s", one.URL, answer.Status)
	}
	isJSON := strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json")
	if decode && isJSON {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		var value any
		return json.Unmarshal(body, &value)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// each does the work for every item, so many at a time.
func each[T any](parallel int, items []T, work func(T)) {
	var next int64 = -1
	var group sync.WaitGroup
	for worker := 0; worker < parallel; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				number := int(atomic.AddInt64(&next, 1))
				if number >= len(items) {
					return
				}
				work(items[number])
			}
		}()
	}
	group.Wait()
}

func usage() syscall.Rusage {
	var spent syscall.Rusage
	// It fails only for an address that is none.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &spent)
	return spent
}

func cpu() time.Duration {
	spent := usage()
	return time.Duration(spent.Utime.Nano() + spent.Stime.Nano())
}

// peak is the most memory that was ever resident, in KiB.
func peak() uint64 {
	return uint64(usage().Maxrss)
}
