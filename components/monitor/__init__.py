"""What watches systems while they run: drift, live quality, fairness and what is promised."""
