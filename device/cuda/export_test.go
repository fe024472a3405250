package cuda

// DevicesOf lists the devices of a driver.
var DevicesOf = devices
