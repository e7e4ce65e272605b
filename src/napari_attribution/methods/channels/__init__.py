"""What each stain counts for: games between stains, the values that are made of them, and what brightness alone explains.

=============== ==================================================================================================
estimator       what a stain's value is
=============== ==================================================================================================
shapley         what it adds to the score, on average over all orders in which the stains can be put in
banzhaf         what it adds to any other stains, each of them there or not by the toss of a coin
leave-one-out   what the score loses without it, all others there
keep-one        what the score gains by it alone, all others filled
permutation     what the score loses when its pixels are shuffled in place
dcmix           what mixing it in does, along the way on which its mixing weight is trained
=============== ==================================================================================================

`values.ESTIMATORS` holds them by name, `importance.channel_importance` asks them of many wells.
"""
