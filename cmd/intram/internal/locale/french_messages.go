package locale

// frenchMessages are sentences, headings and formats, by their English.
var frenchMessages = map[string]string{}
