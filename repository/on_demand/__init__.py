"""Documents that do not exist until they are asked for (ITI TF-1 10.2.6, On-Demand Document Source)."""
