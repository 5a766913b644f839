"""Records in SQL: who may do what, and who did what. Rules, alerts and cases come to lie beside them."""
