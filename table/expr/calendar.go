package expr

import "time"

const secondsPerDay = 24 * 60 * 60

// floorDiv divides rounding down, by a positive number.
func floorDiv(x, y int64) (q, r int64) {
	q, r = x/y, x%y
	if r < 0 {
		q, r = q-1, r+y
	}
	return q, r
}

// civil returns the day of the calendar that is some days after 1970-01-01. The method, of eras of 400
// years that begin in March, is Howard Hinnant's ("chrono-compatible low-level date algorithms").
func civil(days int64) (year, month, day int64) {
	era, ofEra := floorDiv(days+719468, 146097)
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*ofYear + 2) / 153 // months since March
	day = ofYear - (153*shifted+2)/5 + 1
	month = shifted + 3
	year = yearOfEra + era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

// daysOf returns how many days a day of the calendar is after 1970-01-01.
func daysOf(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era, yearOfEra := floorDiv(year, 400)
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + ofYear - 719468
}

func daysInMonth(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// addMonths moves a day by months. Of a month that has no such day it is the last one.
func addMonths(days, months int64) int64 {
	year, month, day := civil(days)
	years, month0 := floorDiv(month-1+months, 12)
	year, month = year+years, month0+1
	return daysOf(year, month, min(day, daysInMonth(year, month)))
}

// A zone is a time zone, with the offset that was last asked for, which times that are near to each
// other share.
type zone struct {
	location    *time.Location
	offset      int64
	from, until int64 // unix seconds in which the zone has that offset
}

// at returns how many seconds clocks are ahead of Greenwich at a unix second.
func (z *zone) at(second int64) int64 {
	if second >= z.from && second < z.until {
		return z.offset
	}
	t := time.Unix(second, 0).In(z.location)
	_, offset := t.Zone()
	z.offset = int64(offset)
	z.from, z.until = second, second+1
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		z.from = min(z.from, start.Unix())
	}
	if !end.IsZero() {
		z.until = max(z.until, end.Unix())
	}
	return z.offset
}

// instant returns the unix second at which clocks show what they show in Greenwich at local. Where
// they never do, or twice, it is chosen as time.Date does.
func (z *zone) instant(local int64) int64 {
	return local - z.at(local-z.at(local))
}

// zone returns the number of the program's zone of a type of timestamps, -1 if that has none.
func (b *binder) zone(at span, name string) int {
	if name == "" {
		return -1
	}
	location, err := loadZone(name)
	if err != nil {
		b.fail(at, "unknown time zone %q", name)
	}
	for i, z := range b.program.zones {
		if z.location.String() == location.String() {
			return i
		}
	}
	b.program.zones = append(b.program.zones, zone{location: location})
	return len(b.program.zones) - 1
}
