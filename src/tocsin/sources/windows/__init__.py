"""Windows event records -> ECS, as Winlogbeat and Elastic's Windows and System integrations map them."""
