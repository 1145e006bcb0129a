module github.com/goasyncore/goasyncore/bench/loadgen

go 1.24.0
