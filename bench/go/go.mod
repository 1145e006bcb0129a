module github.com/goasyncore/goasyncore/bench/go

go 1.24.0

require (
	github.com/goasyncore/goasyncore v0.0.0
	github.com/panjf2000/gnet/v2 v2.9.4
	github.com/tidwall/evio v1.0.8
	golang.org/x/sys v0.40.0
)

require (
	github.com/kavu/go_reuseport v1.5.0 // indirect
	github.com/panjf2000/ants/v2 v2.11.3 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)

replace github.com/goasyncore/goasyncore => ../..
