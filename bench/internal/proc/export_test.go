package proc

// What reads the text of /proc, for tests that have texts of their own.
var (
	ParseStat    = parseStat
	ParseStatus  = parseStatus
	ParseMachine = parseMachine
)
