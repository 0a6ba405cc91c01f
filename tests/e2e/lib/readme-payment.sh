# readme-payment.sh - prints the shell lines of the README's section "A first payment", for another
# base URL, listener port and program: readme_payment README BASE PORT PROGRAM.
readme_payment() {
    awk '/^## /{inside = $0 == "## A first payment"} inside && /^```/{code = !code; next}
         inside && code' "$1" | sed "s|http://127.0.0.1:8254|$2|g; s|9000|$3|g; s|build/hakika|$4|g"
}
