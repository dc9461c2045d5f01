package bench

// AtHand reads a zoneinfo.
var AtHand = atHand
