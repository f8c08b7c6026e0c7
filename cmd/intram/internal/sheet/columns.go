package sheet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	gounicode "unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Columns are the columns that a file can have. The first two are required.
var Columns = []string{
	"reference", "amount", "currency", "provider", "msisdn", "country", "account_number", "swift", "account_name", "account_surname", "note",
}

// otherNames are what offices call the columns, without accents.
var otherNames = map[string]string{
	"ref": "reference", "id": "reference", "matricule": "reference", "order": "reference", "commande": "reference", "facture": "reference",
	"reference paiement": "reference", "payment reference": "reference", "n matricule": "reference", "employee id": "reference", "invoice": "reference",
	"montant": "amount", "somme": "amount", "montant net": "amount", "net a payer": "amount", "salaire net": "amount", "salaire": "amount", "sum": "amount",
	"montant a payer": "amount", "montant a verser": "amount", "a payer": "amount", "net a verser": "amount", "net": "amount",
	"devise": "currency", "monnaie": "currency",
	"provider code": "provider", "operateur": "provider", "operator": "provider", "reseau": "provider", "network": "provider", "operateur mobile": "provider", "reseau mobile": "provider",
	"telephone": "msisdn", "tel": "msisdn", "phone": "msisdn", "phone number": "msisdn", "numero de telephone": "msisdn", "numero": "msisdn",
	"n de telephone": "msisdn", "n telephone": "msisdn", "no telephone": "msisdn", "no de telephone": "msisdn",
	"mobile": "msisdn", "portable": "msisdn", "contact": "msisdn", "mobile money": "msisdn", "momo": "msisdn", "number": "msisdn",
	"operateur telephonique": "provider", "mobile operator": "provider", "mobile network": "provider",
	"n tel": "msisdn", "no tel": "msisdn", "num tel": "msisdn", "numero tel": "msisdn", "numero mobile": "msisdn", "telephone mobile": "msisdn",
	"tel mobile": "msisdn", "mobile number": "msisdn", "numero momo": "msisdn", "numero mobile money": "msisdn",
	"country code": "country", "pays": "country", "code pays": "country",
	"account number": "account_number", "iban": "account_number", "account": "account_number", "compte": "account_number",
	"numero de compte": "account_number", "rib": "account_number",
	"bic": "swift", "code swift": "swift", "swift code": "swift", "code bic": "swift",
	"account name": "account_name", "prenom": "account_name", "prenoms": "account_name", "first name": "account_name", "firstname": "account_name",
	"name": "account_name", "full name": "account_name", "nom complet": "account_name", "nom et prenom": "account_name", "nom et prenoms": "account_name",
	"noms et prenoms": "account_name", "nom prenom": "account_name", "nom prenoms": "account_name", "beneficiaire": "account_name",
	"beneficiary": "account_name", "employe": "account_name", "employee": "account_name",
	"account surname": "account_surname", "nom": "account_surname", "nom de famille": "account_surname", "last name": "account_surname",
	"surname": "account_surname", "lastname": "account_surname",
	"motif": "note", "libelle": "note", "commentaire": "note", "description": "note", "objet": "note", "memo": "note",
}

// column is one column of the file.
type column struct {
	at   int
	text string // the header's own
}

// readHeader finds out which column is what. Columns without a name are left out; what
// stands in them is a problem of its line. A column that counts the rows is left out too,
// and noted.
func readHeader(header row, rows []row) (columns map[string]column, unnamed []int, notes, problems []Problem) {
	columns = map[string]column{}
	var unknown, names []string
	add := func(text, format string, args ...any) {
		problems = append(problems, Problem{Line: header.number, Column: text, Message: fmt.Sprintf(format, args...)})
	}
	for i, cell := range header.cells {
		text := clean(cell)
		if text == "" {
			unnamed = append(unnamed, i)
			continue
		}
		name, known := columnName(text)
		if !known && slices.Contains([]string{"", "n", "no", "nr", "num", "line", "ligne"}, plainWords(text)) && countsUp(rows, i) {
			notes = append(notes, Problem{Line: header.number, Column: text, Message: "it counts the rows, and was left out"})
			continue
		}
		if !known {
			hint := ""
			if near := nearest(plainWords(text)); near != "" {
				hint = fmt.Sprintf(", did you mean %s?", near)
			}
			unknown = append(unknown, fmt.Sprintf("column %d: unknown%s; the columns are %s", i+1, hint, strings.Join(Columns, ", ")))
			names = append(names, text)
			continue
		}
		if earlier, twice := columns[name]; twice {
			if earlier.text == text {
				add("", "column %s is there twice", text)
			} else {
				add("", "columns %s and %s are both the %s", earlier.text, text, name)
			}
			continue
		}
		if name == "amount" {
			if unit := otherUnit(text); unit != "" {
				add(text, "the amounts are read as francs: say them in francs, and leave %q out of the column's name", unit)
			}
		}
		columns[name] = column{i, text}
	}
	for i, message := range unknown {
		name := names[i]
		if len(columns) == 0 {
			name = "" // it is no header, and what stands there may be a person's
		}
		add(name, "%s", message)
	}
	incomplete := false
	for _, name := range Columns[:2] {
		if _, ok := columns[name]; !ok {
			incomplete = true
			add("", "column %s is missing", name)
		}
	}
	_, mobile := columns["msisdn"]
	_, bank := columns["account_number"]
	if _, operator := columns["provider"]; incomplete && mobile && !bank && !operator { // each line says it otherwise
		add("", "column provider is missing: whose number it is, such as MTN_BENIN_229")
	}
	if !mobile && !bank && len(problems) == 0 {
		add("", "neither a column msisdn nor account_number: one of them says where to pay")
	}
	return columns, unnamed, notes, problems
}

// countsUp reports whether a column has 1, 2, 3 … and nothing else.
func countsUp(rows []row, at int) bool {
	for i, r := range rows {
		if at >= len(r.cells) || clean(r.cells[at]) != strconv.Itoa(i+1) {
			return false
		}
	}
	return len(rows) > 0
}

func columnName(text string) (string, bool) {
	words := plainWords(text)
	if name := strings.ReplaceAll(words, " ", "_"); slices.Contains(Columns, name) {
		return name, true
	}
	name, ok := otherNames[words]
	return name, ok
}

// plainWords are the words of a header in lower case, without accents, signs, and what
// stands in parentheses: "Montant (FCFA)".
func plainWords(text string) string {
	if before, _, ok := strings.Cut(text, "("); ok && strings.TrimSpace(before) != "" {
		text = before
	}
	text, _, _ = transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(gounicode.Mn)), norm.NFC), text)
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !gounicode.IsLetter(r) && !gounicode.IsDigit(r) }), " ")
}

// otherUnit is a sign in the name of the column of amounts, or a word in parentheses
// behind it, that may make 25 mean 25 thousand or 25 euros.
func otherUnit(text string) string {
	for _, sign := range text {
		if gounicode.Is(gounicode.Sc, sign) || sign == '%' {
			return string(sign)
		}
	}
	_, unit, _ := strings.Cut(text, "(")
	for word := range strings.FieldsSeq(plainWords(strings.ReplaceAll(unit, "(", " "))) {
		if !slices.Contains([]string{"f", "fcfa", "cfa", "xof", "franc", "francs", "en", "net", "nets", "brut", "a", "payer", "total"}, word) {
			return word
		}
	}
	return ""
}

// nearest is the column whose name is at most two letters away, "" when none is or the
// word is short.
func nearest(words string) string {
	if len(words) < 4 {
		return ""
	}
	best, least := "", 3
	try := func(written, name string) {
		if d := distance(words, written); d < least || d == least && name < best {
			best, least = name, d
		}
	}
	for _, name := range Columns {
		try(strings.ReplaceAll(name, "_", " "), name)
	}
	for written, name := range otherNames {
		try(written, name)
	}
	return best
}

// distance is how many letters must be changed, added or taken away (Levenshtein).
func distance(a, b string) int {
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current := make([]int, len(b)+1)
		current[0] = i + 1
		for j := range len(b) {
			change := previous[j]
			if a[i] != b[j] {
				change++
			}
			current[j+1] = min(change, previous[j+1]+1, current[j]+1)
		}
		previous = current
	}
	return previous[len(b)]
}

// clean is a cell without what cannot be seen and the apostrophe by which spreadsheets
// mark a text.
func clean(cell string) string {
	cell = strings.Map(func(r rune) rune {
		if gounicode.Is(gounicode.Cf, r) {
			return -1
		}
		return r
	}, cell)
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(cell), "'"))
}
