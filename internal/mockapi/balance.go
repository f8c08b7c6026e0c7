package mockapi

import "net/http"

// getBalance handles GET /balance. A merchant without a wallet gets currency null and an
// empty list.
func (x *exchange) getBalance() reply {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	wallets := s.state.books[x.account].wallets
	b := []byte{'{'}
	if len(wallets) == 0 {
		b = appendOptionalString(b, "currency", "")
	} else {
		b = appendStringField(b, "currency", s.currency)
	}
	b = append(appendName(b, "payment_method_balances"), '[')
	for i, w := range wallets {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendStringField(b, "payment_method", w.method.name)
		b = appendIntField(b, "available", s.state.ledger.balance(w.available))
		b = appendIntField(b, "pending", s.state.ledger.balance(w.pending))
		b = append(b, '}')
	}
	return success(http.StatusOK, append(b, "]}"...), "")
}
