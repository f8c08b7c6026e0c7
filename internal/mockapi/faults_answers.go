package mockapi

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// otherwise changes the response of an executed call as a fault says. A refusal stays as
// it is.
func otherwise(kind FaultKind, rep reply) reply {
	if rep.status < http.StatusOK || rep.status >= http.StatusMultipleChoices || rep.html {
		return rep
	}
	if kind == FaultByteOrderMark {
		rep.body = append([]byte("\ufeff"), rep.body...)
		return rep
	}
	decoder := json.NewDecoder(bytes.NewReader(rep.body))
	decoder.UseNumber()
	var document map[string]any
	if decoder.Decode(&document) != nil {
		return rep
	}
	data, ok := document["data"]
	if !ok {
		data = document // the protocol of payins has no envelope
	}
	switch kind {
	case FaultOtherSubject:
		becomeAnother(data)
	case FaultOddFields:
		makeOdd(document)
	case FaultNoPayload:
		eachOf(data, func(o map[string]any) { delete(o, "payload") })
	case FaultUnreadableItem:
		if items, ok := data.([]any); ok && len(items) > 0 {
			if item, ok := items[len(items)/2].(map[string]any); ok {
				item["status"] = map[string]any{"word": item["status"]}
			}
		}
	}
	// What was decoded can be written.
	if body, err := json.Marshal(document); err == nil {
		rep.body = body
	}
	return rep
}

// eachOf calls f with an object, or with each object of a list.
func eachOf(data any, f func(map[string]any)) {
	switch data := data.(type) {
	case map[string]any:
		f(data)
	case []any:
		for _, item := range data {
			if o, ok := item.(map[string]any); ok {
				f(o)
			}
		}
	}
}

// becomeAnother gives an object the ids of another one. A list stays as it is.
func becomeAnother(data any) {
	object, ok := data.(map[string]any)
	if !ok {
		return
	}
	for name, other := range map[string]string{
		"operation_id": "op_0123456789abcdef", "reference": "ZZ00ZZ00ZZ", "id": "0123456789abcdef01234567", "customerReference": "another-session",
	} {
		if _, has := object[name]; has {
			object[name] = other
		}
	}
	if kind, ok := object["type"].(string); ok && object["operation_id"] != nil {
		object["type"] = kindRefund
		if kind == kindRefund {
			object["type"] = kindPayout
		}
	}
}

// oddValues holds values of another JSON type for the descriptive fields.
var oddValues = map[string]any{
	"attempts": "3", "responsecode": 0, "responsemsg": nil, "serviceref": 1927264368, "service_reference": 1927264368,
	"declined_reason": false, "reason": 7, "email": false, "name": 0, "first_name": 1, "last_name": 2, "number": int64(22961234567),
	"source_msisdn": int64(22961234567), "qr_code": false, "receipt_url": 0, "_links": []any{}, "limit": "20", "phoneNumber": int64(22961234567),
	"customerName": 0, "symbol": 0, "secret_hint": 7, "date": 1779273000, "updated_date": []any{}, "http_status": "200",
}

// makeOdd changes the JSON types of the descriptive fields, except in what the caller
// sent and in the dates of a list's items, which are its order.
func makeOdd(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			switch odd, described := oddValues[name]; {
			case name == "payload" || name == "metadata" || name == "webhook_data":
			case name == "provider_response" && value == nil:
				v[name] = ""
			case described:
				v[name] = odd
			default:
				makeOdd(value)
			}
		}
	case []any:
		for _, item := range v {
			if o, ok := item.(map[string]any); ok {
				date, dated := o["date"]
				makeOdd(o)
				if dated {
					o["date"] = date
				}
			}
		}
	}
}
