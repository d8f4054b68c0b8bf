package app

import (
	"io"
	"log/slog"
)

// NewLog makes the log that the settings ask for: text or JSON, from a level
// on. Debug tells of single clients, info of the process, warn of service that
// is worse, error of what a person must look at. Neither tokens nor payloads
// are ever logged.
func NewLog(to io.Writer, config Config) *slog.Logger {
	config = config.withDefaults()
	var level slog.Level
	if err := level.UnmarshalText([]byte(config.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}
