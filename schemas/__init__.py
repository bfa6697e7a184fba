"""The contracts that the coordinator, the engine workers and the aggregation share."""
